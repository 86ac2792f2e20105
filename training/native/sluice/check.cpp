// Goes through the whole ABI on shapes of every kind, for the sanitizers: built with them, a bad access, undefined
// arithmetic or a race ends it. Whatever computes (HALF) is gone through, in each precision that it offers. Its own
// checks are few, since the tests of training/native compare numbers: threads and company change no byte, a stopped
// training goes on as if it had not been stopped, refusals change nothing.
#include "sluice.h"
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

namespace {

void require(bool holds, const char *what, const slu_tsmixer *h = nullptr) {
  if (holds) return;
  std::fprintf(stderr, "%s: %s (%s)\n", slu_path(), what, slu_error(h));
  std::exit(1);
}

struct Case {
  int tokens, channels, hidden, blocks, horizon, head, kept, activation, revin, batch, loss, members;
  float dropout;
  int precision = SLU_FP32;
};

constexpr int kRows = 150;

struct Numbers {
  std::vector<float> series, targets, teacher, weights;
  std::vector<int32_t> ends, samples;
};

float noise(uint32_t i) {
  const uint32_t key[2] = {1, 2}, counter[4] = {i, 0, 0, 0};
  uint32_t out[4];
  slu_philox(counter, key, 1, out);
  return float(out[0]) / 4294967296.0f - 0.5f;
}

Numbers numbers_of(const Case &c) {
  const int outputs = c.horizon * (c.head == SLU_HEAD_FLAT ? 1 : c.kept);
  Numbers n;
  for (int i = 0; i < kRows * c.channels; ++i) n.series.push_back(noise(i));
  for (int i = c.tokens - 1; i < kRows; ++i) n.ends.push_back(i);
  for (size_t i = 0; i < n.ends.size(); ++i) n.samples.push_back(int32_t(i));
  for (size_t i = 0; i < n.ends.size() * outputs; ++i) {
    n.targets.push_back(noise(i + 7));
    n.teacher.push_back(i % 3 ? noise(i + 9) : NAN);
  }
  for (size_t i = 0; i < n.ends.size(); ++i) n.weights.push_back(float(i % 4));
  return n;
}

slu_tsmixer_config config_of(const Case &c, int threads, int members) {
  slu_tsmixer_config config{};
  config.struct_bytes = sizeof config;
  config.members = members;
  config.tokens = c.tokens;
  config.channels = c.channels;
  config.hidden = c.hidden;
  config.blocks = c.blocks;
  config.horizon = c.horizon;
  config.head = c.head;
  config.kept_channels = c.kept;
  config.activation = c.activation;
  config.revin = c.revin;
  config.batch = c.batch;
  config.loss = c.loss;
  config.threads = threads;
  config.huber_delta = 0.1f;
  config.beta1 = 0.9f;
  config.beta2 = 0.999f;
  config.epsilon = 1e-8f;
  config.precision = c.precision;
  return config;
}

slu_tsmixer *open(const Case &c, const Numbers &n, int threads, int first, int members) {
  const slu_tsmixer_config config = config_of(c, threads, members);
  std::vector<slu_tsmixer_member> own;
  for (int k = first; k < first + members; ++k) own.push_back({uint64_t(k + 1), 1e-3f, 0.01f, c.dropout, 0.5f, 1.0f, 0});
  slu_tsmixer *h = nullptr;
  require(slu_tsmixer_create(&config, own.data(), &h) == SLU_OK, "create");
  require(slu_tsmixer_data(h, n.series.data(), kRows, n.ends.data(), n.ends.size(), n.targets.data(), n.teacher.data(),
                           n.weights.data()) == SLU_OK,
          "data", h);
  for (int k = 0; k < members; ++k) {
    std::vector<char> state(slu_tsmixer_state_bytes(h), 0);
    const size_t parameters = (state.size() - 8) / 12;
    for (size_t i = 0; i < parameters; ++i) {
      const float x = noise(i + 100 * (first + k)) + (i % 5 == 0 ? 1.0f : 0.0f);
      std::memcpy(state.data() + 8 + i * 4, &x, 4);
    }
    require(slu_tsmixer_state(h, k, SLU_WRITE, state.data(), state.size()) == SLU_OK, "write", h);
  }
  return h;
}

std::vector<char> state_of(slu_tsmixer *h, int member) {
  std::vector<char> state(slu_tsmixer_state_bytes(h));
  require(slu_tsmixer_state(h, member, SLU_READ, state.data(), state.size()) == SLU_OK, "read", h);
  return state;
}

int train(slu_tsmixer *h, const Numbers &n, int members, int64_t to_step) {
  const float schedule[] = {0.1f, 0.5f, 1};
  std::vector<slu_tsmixer_stats> stats(members);
  return slu_tsmixer_train(h, n.samples.data(), n.samples.size(), schedule, 3, to_step, nullptr, stats.data());
}

void check(const Case &c) {
  const Numbers n = numbers_of(c);
  slu_tsmixer *together = open(c, n, 3, 0, c.members);
  require(train(together, n, c.members, 5) == SLU_OK, "train", together);
  for (int k = 0; k < c.members; ++k) {
    slu_tsmixer *alone = open(c, n, 1, k, 1);
    require(train(alone, n, 1, 2) == SLU_OK && train(alone, n, 1, 5) == SLU_OK, "train alone", alone);
    require(state_of(alone, 0) == state_of(together, k), "a member alone, in two parts, has other bytes");
    slu_tsmixer_free(alone);
  }
  std::vector<slu_tsmixer_stats> stats(c.members);
  require(slu_tsmixer_evaluate(together, n.samples.data(), n.samples.size(), stats.data()) == SLU_OK, "evaluate", together);
  const size_t outputs = n.targets.size() / n.ends.size();
  std::vector<float> y(c.members * n.samples.size() * outputs);
  require(slu_tsmixer_predict(together, n.samples.data(), n.samples.size(), y.data()) == SLU_OK, "predict", together);
  for (float x : y) require(std::isfinite(x), "a prediction is not finite");
  std::vector<float> gradient((slu_tsmixer_state_bytes(together) - 8) / 12);
  double loss;
  require(slu_tsmixer_gradient(together, 0, n.samples.data(), 3, 0, gradient.data(), &loss) == SLU_OK, "gradient", together);

  const std::vector<char> before = state_of(together, 0);
  const int32_t beyond[] = {int32_t(n.ends.size())};
  require(slu_tsmixer_evaluate(together, beyond, 1, stats.data()) == SLU_INVALID, "a sample that is not there");
  require(slu_tsmixer_state(together, 0, SLU_WRITE, y.data(), 4) == SLU_INVALID, "a state of another size");
  require(state_of(together, 0) == before, "a refusal changed the state");

  // targets taken from the series itself
  if (c.head == SLU_HEAD_TEMPORAL) {
    require(slu_tsmixer_data(together, n.series.data(), kRows, nullptr, kRows, nullptr, nullptr, nullptr) == SLU_OK, "ahead");
    std::vector<int32_t> inside;
    for (int i = c.tokens - 1; i + c.horizon < kRows; ++i) inside.push_back(i);
    require(slu_tsmixer_evaluate(together, inside.data(), inside.size(), stats.data()) == SLU_OK, "evaluate ahead", together);
  }
  slu_tsmixer_free(together);
}

/// Another thread watches and stops a training, which then goes on to the bytes of one that nobody stopped.
void check_stopping(const Case &c, int64_t steps) {
  const Numbers n = numbers_of(c);
  slu_tsmixer *stopped = open(c, n, 2, 0, c.members), *whole = open(c, n, 2, 0, c.members);
  std::atomic<bool> ended{false};
  std::thread other([&] {
    while (!ended && slu_tsmixer_progress(stopped) < 3) std::this_thread::yield();
    slu_tsmixer_stop(stopped);
  });
  const int code = train(stopped, n, c.members, steps);
  ended = true;
  other.join();
  require(code == SLU_STOPPED || code == SLU_OK, "stop", stopped);
  int again = train(stopped, n, c.members, steps); // a stop that came after the end stops this one
  if (again == SLU_STOPPED) again = train(stopped, n, c.members, steps);
  require(again == SLU_OK && train(whole, n, c.members, steps) == SLU_OK, "go on", stopped);
  for (int k = 0; k < c.members; ++k) require(state_of(stopped, k) == state_of(whole, k), "stopping changed a byte");
  slu_tsmixer_free(stopped);
  slu_tsmixer_free(whole);
}

/// Whether this device computes in the case's precision.
bool offers(const Case &c) {
  const slu_tsmixer_config config = config_of(c, 1, 1);
  const slu_tsmixer_member own{};
  slu_tsmixer *h = nullptr;
  const int code = slu_tsmixer_create(&config, &own, &h);
  require(code == SLU_OK || (code == SLU_INVALID && c.precision != SLU_FP32), "create in a precision");
  slu_tsmixer_free(h);
  return code == SLU_OK;
}

void check_device() {
  slu_device device{};
  require(slu_device_info(0, &device) == SLU_INVALID, "a device of another library");
  device.struct_bytes = sizeof device;
  for (int away : {-1, 4096}) require(slu_device_info(away, &device) == SLU_NO_DEVICE, "a device that is not there");
  require(slu_device_info(0, &device) == SLU_OK && device.processors >= 1 && device.name[0], "device 0");
}

} // namespace

int main() {
  const Case cases[] = {
      {1, 1, 1, 1, 1, SLU_HEAD_FLAT, 1, SLU_RELU, 0, 1, SLU_MSE, 1, 0},
      {7, 3, 5, 2, 1, SLU_HEAD_FLAT, 3, SLU_RELU, 0, 20, SLU_MSE, 3, 0.3f},
      {13, 9, 4, 1, 3, SLU_HEAD_FLAT, 9, SLU_GELU, 0, 33, SLU_HUBER, 2, 0},
      {24, 5, 11, 3, 7, SLU_HEAD_TEMPORAL, 2, SLU_GELU, 1, 16, SLU_MSE, 1, 0.9f},
      {9, 17, 6, 1, 2, SLU_HEAD_TEMPORAL, 17, SLU_RELU, 0, 150, SLU_HUBER, 1, 0.5f},
      {32, 16, 32, 2, 1, SLU_HEAD_FLAT, 16, SLU_RELU, 0, 64, SLU_MSE, 2, 0.1f},
  };
  int sound = 0;
  for (const char *path : {"portable", "neon", "avx2", "wide", "avx512", "cuda", "emulated"}) {
    if (slu_use(path) != SLU_OK) continue;
    require(std::strcmp(slu_path(), path) == 0, "the path that was chosen");
    check_device();
    for (Case c : cases)
      for (int precision : {SLU_FP32, SLU_TF32}) {
        c.precision = precision;
        if (offers(c)) check(c);
      }
    check_stopping(cases[1], std::strcmp(path, "emulated") == 0 ? 20 : 200); // an emulated step takes 0.1 s
    std::printf("%s: sound\n", path);
    ++sound;
  }
  return sound > 0 ? 0 : 1;
}
