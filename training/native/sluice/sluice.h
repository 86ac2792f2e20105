/* libsluice: training and inference of TSMixer, K members at a time. One C ABI, and a library of it for each device:
 * libsluice.so computes on the CPU, libsluice_cuda.so on a GPU.
 *
 * Arrays are row-major float32, lent by the caller, and must outlive their use: those of slu_tsmixer_data until the handle
 * is freed or given others, all others for the call. Calls that return int give SLU_OK or a negative code, and
 * slu_error() has the sentence. One call at a time per handle, except slu_tsmixer_stop and slu_tsmixer_progress, which
 * any thread may call at any time. */
#ifndef SLUICE_H
#define SLUICE_H
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define SLU_ABI_VERSION 2

enum slu_code {
  SLU_OK = 0,
  SLU_INVALID = -1,    /* an argument, a size, an index, a number that is not finite */
  SLU_MEMORY = -2,     /* not enough memory */
  SLU_NON_FINITE = -3, /* a loss or a gradient left the range of numbers; the state is that before the step */
  SLU_STOPPED = -4,    /* slu_tsmixer_stop was called; the state is that after a whole step */
  SLU_NO_DEVICE = -5,  /* the device is not here, or was not built in */
  SLU_DEVICE = -6      /* the device failed; the handle can only be freed */
};

enum slu_activation { SLU_RELU = 0, SLU_GELU = 1 };
enum slu_head { SLU_HEAD_FLAT = 0, SLU_HEAD_TEMPORAL = 1 };
enum slu_loss { SLU_MSE = 0, SLU_HUBER = 1 };
/* Of the matrix products; sums, norms, losses and parameters are float32 or wider in both. TF32 is for GPUs alone. */
enum slu_precision { SLU_FP32 = 0, SLU_TF32 = 1 };
enum slu_direction { SLU_READ = 0, SLU_WRITE = 1 };

/* What all members share. */
typedef struct slu_tsmixer_config {
  int32_t struct_bytes; /* sizeof(slu_tsmixer_config), checked */
  int32_t members;
  int32_t tokens;   /* L */
  int32_t channels; /* C */
  int32_t hidden;   /* ff */
  int32_t blocks;
  int32_t horizon;       /* H */
  int32_t head;          /* slu_head */
  int32_t kept_channels; /* leading channels that a temporal head predicts */
  int32_t activation;    /* slu_activation */
  int32_t revin;         /* 0 or 1; needs a temporal head */
  int32_t batch;         /* samples of a step */
  int32_t loss;          /* slu_loss */
  int32_t threads;       /* of the CPU, 0 = one per core */
  float huber_delta;     /* > 0; read with SLU_HUBER only */
  float beta1, beta2, epsilon; /* AdamW */
  int32_t device;              /* which GPU, from 0; 0 for a CPU */
  int32_t precision;           /* slu_precision */
} slu_tsmixer_config;

/* What each member has of its own. */
typedef struct slu_tsmixer_member {
  uint64_t seed;       /* decides order of samples and dropout */
  float learning_rate; /* times schedule[step] */
  float weight_decay;  /* decoupled: p *= 1 - lr * weight_decay */
  float dropout;       /* [0, 1), resolved to 1/65536 */
  float teacher;       /* lambda: weight of the mean squared distance to the teacher */
  float clip;          /* largest global norm of a gradient; 0 = no clipping */
  float reserved;
} slu_tsmixer_member;

/* Where a member stands and what its last call saw. */
typedef struct slu_tsmixer_stats {
  int64_t step;    /* optimiser steps since the start of the training */
  int64_t samples; /* that the call looked at */
  double loss;     /* mean over them: weighted loss to the targets, and in training lambda times that to the teacher */
} slu_tsmixer_stats;

/* A device that this library computes on. */
typedef struct slu_device {
  int32_t struct_bytes;    /* sizeof(slu_device), checked */
  int32_t capability;      /* of a GPU, 90 = sm_90; 0 for a CPU */
  int32_t processors;      /* multiprocessors, or cores */
  int32_t driver, runtime; /* newest CUDA of the driver, CUDA of this library; 13000 = 13.0; 0 for a CPU */
  int32_t reserved;
  int64_t memory_bytes;    /* of a GPU; 0 for a CPU */
  char name[64];
} slu_device;

typedef struct slu_tsmixer slu_tsmixer;

int32_t slu_abi_version(void);
/* What the matrix kernels of this process are made of: "avx512", "avx2", "neon", "portable", or "cuda". */
const char *slu_path(void);
/* Chooses the kernels of handles created from now on by that name; NULL = the best. For tests and measurements. */
int slu_use(const char *path);
/* Tells of a device; SLU_NO_DEVICE if it is not here or cannot be used. */
int slu_device_info(int32_t device, slu_device *out);
/* The sentence of the last failure of a handle; for NULL, of a call of this thread that has none. */
const char *slu_error(const slu_tsmixer *);

/* All parameters are zero until slu_tsmixer_state writes them. */
int slu_tsmixer_create(const slu_tsmixer_config *, const slu_tsmixer_member *members, slu_tsmixer **out);
void slu_tsmixer_free(slu_tsmixer *);

/* series [rows, C]; sample i is the L rows that end with row ends[i] (ends NULL: row i).
 * targets [samples, O], O = H or H * kept; NULL: the kept channels of the H rows after the window.
 * teacher [samples, O] or NULL, NaN = no teacher for this number; weights [samples] >= 0 or NULL = 1. */
int slu_tsmixer_data(slu_tsmixer *, const float *series, int64_t rows, const int32_t *ends, int64_t samples,
                     const float *targets, const float *teacher, const float *weights);

/* Trains each member with active[k] != 0 (NULL = all) until it has made to_step steps. An epoch is ceil(n / batch) steps
 * over train[0..n) in an order decided by (seed, epoch). schedule[min(step, n_schedule-1)] multiplies the learning rate. */
int slu_tsmixer_train(slu_tsmixer *, const int32_t *train, int64_t n, const float *schedule, int64_t n_schedule,
                      int64_t to_step, const uint8_t *active, slu_tsmixer_stats *stats /* [members] */);
/* Mean loss to the targets without dropout and teacher. */
int slu_tsmixer_evaluate(slu_tsmixer *, const int32_t *samples, int64_t n, slu_tsmixer_stats *stats /* [members] */);
/* Predictions y [members, n, O] of samples. */
int slu_tsmixer_predict(slu_tsmixer *, const int32_t *samples, int64_t n, float *y);

/* Gradient [P] of the loss of one step over exactly these samples at the present parameters of one member, with the dropout
 * of `step`; nothing is changed. For tests: it is the code that trains. */
int slu_tsmixer_gradient(slu_tsmixer *, int32_t member, const int32_t *samples, int64_t n, int64_t step, float *gradient,
                         double *loss);

/* Bytes of the whole state of one member: int64 step, then parameters, first and second moments [P] each. */
int64_t slu_tsmixer_state_bytes(const slu_tsmixer *);
int slu_tsmixer_state(slu_tsmixer *, int32_t member, int32_t direction, void *state, int64_t bytes);

void slu_tsmixer_stop(slu_tsmixer *);
/* Steps that the call in progress has finished, over all members. */
int64_t slu_tsmixer_progress(const slu_tsmixer *);

/* Philox4x32-10: n counters [n, 4] under key [2] to n blocks [n, 4]. For tests against the published vectors. */
void slu_philox(const uint32_t *counters, const uint32_t *key, int64_t n, uint32_t *out);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
