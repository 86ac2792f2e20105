"""Makes torch_steps.json with PyTorch: what 20 AdamW steps do to small TSMixers, for torchSteps.test.ts.

    python test/training/native/torch_steps.py > test/training/native/torch_steps.json

The network is written with torch's own layers, not with ours. Parameters, series, targets, teacher and weights follow
from `noise`, which the test computes too, so only results are recorded: from float64 the loss of every step, the gradient
of the first (before clipping), the last parameters, the root mean square gradient that AdamW remembers of each, and the
predictions; from float32 how far PyTorch itself is from them. Arrays are base64 of float32 in the order of
models/score/tsmixerParameters.ts.
"""
import base64, json
import numpy as np
import torch
from torch import nn

STEPS = 20
BASE = dict(rows=40, tokens=5, channels=3, hidden=4, blocks=2, horizon=2, head="flat", kept=3, activation="relu",
            revin=False, batch=6, loss="mse", delta=1.0, rate=1e-2, decay=0.0, teacher=0.0, clip=0.0, weights=False,
            beta1=0.9, beta2=0.999, epsilon=1e-8, schedule=[1.0])
CASES = {
    "flat relu": {},
    "flat gelu, one of everything": dict(tokens=1, channels=1, hidden=1, blocks=1, horizon=1, kept=1, batch=1, activation="gelu"),
    "flat gelu, odd sizes": dict(tokens=13, channels=7, hidden=9, blocks=2, horizon=3, kept=7, batch=5, activation="gelu", rate=3e-3),
    "temporal relu": dict(tokens=17, channels=5, hidden=11, head="temporal", horizon=7, kept=5, rows=60),
    "temporal, kept channels": dict(tokens=16, channels=8, hidden=16, head="temporal", horizon=4, kept=3, rows=60, activation="gelu"),
    "revin, gelu": dict(tokens=19, channels=6, hidden=5, head="temporal", horizon=9, kept=6, revin=True, rows=60, activation="gelu"),
    "revin, kept channels, relu": dict(tokens=12, channels=4, hidden=3, head="temporal", horizon=5, kept=2, revin=True, rows=60),
    "huber": dict(loss="huber", delta=0.5, activation="gelu", tokens=11, channels=5, kept=5),
    "teacher": dict(teacher=0.7, activation="gelu", tokens=9, channels=4, kept=4),
    "huber with teacher and weights": dict(loss="huber", delta=0.3, teacher=1.5, weights=True, head="temporal", horizon=3, kept=2, revin=True, activation="gelu"),
    "weights": dict(weights=True, tokens=8, channels=4, kept=4, activation="gelu"),
    "clipping": dict(clip=0.05, activation="gelu", tokens=7, channels=6, kept=6),
    "weight decay": dict(decay=0.3, rate=3e-2, activation="gelu"),
    "other betas, epsilon that matters": dict(beta1=0.7, beta2=0.9, epsilon=0.05, activation="gelu"),
    "a schedule, with decay": dict(schedule=[0.125, 0.5, 1.0, 0.75, 0.25], decay=0.3, rate=3e-2, activation="gelu"),
    "all of it": dict(tokens=15, channels=5, hidden=13, head="temporal", horizon=6, kept=4, revin=True, batch=9, activation="gelu",
                      loss="huber", delta=0.4, teacher=0.5, weights=True, clip=0.1, decay=0.05, rows=80),
    "powers of two": dict(tokens=16, channels=16, hidden=32, blocks=1, horizon=1, kept=16, batch=16, activation="gelu", rate=1e-3),
}


def noise(stream, n):
    """n numbers in [-0.5, 0.5), multiples of 2^-24: what the test computes with Math.imul."""
    x = (np.arange(1, n + 1, dtype=np.uint64) + np.uint64(stream * 100003)) * np.uint64(0x9E3779B1) & np.uint64(0xFFFFFFFF)
    x ^= x >> np.uint64(15)
    x = x * np.uint64(0x85EBCA77) & np.uint64(0xFFFFFFFF)
    x ^= x >> np.uint64(13)
    x = x * np.uint64(0xC2B2AE3D) & np.uint64(0xFFFFFFFF)
    x ^= x >> np.uint64(16)
    return (x >> np.uint64(8)).astype(np.float64) / 2**24 - 0.5


class Block(nn.Module):
    def __init__(self, L, C, F, activation):
        super().__init__()
        self.norm_time, self.time = nn.LayerNorm((L, C), eps=1e-5), nn.Linear(L, L)
        self.norm_feature, self.up, self.down = nn.LayerNorm((L, C), eps=1e-5), nn.Linear(C, F), nn.Linear(F, C)
        self.act = dict(relu=nn.ReLU, gelu=nn.GELU)[activation]()

    def forward(self, x):
        x = x + self.act(self.time(self.norm_time(x).mT)).mT
        return x + self.down(self.act(self.up(self.norm_feature(x))))


class Mixer(nn.Module):
    def __init__(self, c):
        super().__init__()
        L, C = c["tokens"], c["channels"]
        self.c = c
        self.blocks = nn.Sequential(*[Block(L, C, c["hidden"], c["activation"]) for _ in range(c["blocks"])])
        self.head = nn.Linear(L * C if c["head"] == "flat" else L, c["horizon"])
        self.revin = nn.ParameterDict([("weight", torch.ones(C)), ("bias", torch.zeros(C))] if c["revin"] else [])

    def forward(self, x):
        kept = self.c["kept"]
        if self.c["revin"]:
            mean = x.mean(1, keepdim=True).detach()
            std = torch.sqrt(x.var(1, keepdim=True, unbiased=False) + 1e-5).detach()
            x = (x - mean) / std * self.revin["weight"] + self.revin["bias"]
        x = self.blocks(x)
        if self.c["head"] == "flat":
            return self.head(x.flatten(1))
        y = self.head(x[..., :kept].mT).mT
        if self.c["revin"]:
            y = (y - self.revin["bias"][:kept]) / self.revin["weight"][:kept] * std[..., :kept] + mean[..., :kept]
        return y.flatten(1)


def set_parameters(model):
    """Tensor k of the model: noise of stream 10 + k; weights scaled as Glorot's, gains around 1."""
    with torch.no_grad():
        for k, (name, p) in enumerate(model.named_parameters()):
            value = noise(10 + k, p.numel())
            gain = name.endswith(("norm_time.weight", "norm_feature.weight", "revin.weight"))
            scale = 2 * np.sqrt(6 / (p.shape[0] + p.shape[1])) if p.dim() == 2 and not gain and "norm" not in name else 0.4
            value = (value * scale + (1 if gain else 0)).astype(np.float32)
            p.copy_(torch.from_numpy(value).reshape(p.shape))


def samples_of(c):
    L, C, H, kept, B = c["tokens"], c["channels"], c["horizon"], c["kept"], c["batch"]
    series = (4 * noise(1, c["rows"] * C)).astype(np.float32).reshape(c["rows"], C)
    ends = [L - 1 + (i * 5) % (c["rows"] - L - H + 1) for i in range(B)]
    x = np.stack([series[e - L + 1 : e + 1] for e in ends])
    if c["head"] == "flat":
        y = (2 * noise(2, B * H)).astype(np.float32).reshape(B, H)
    else:
        y = np.stack([series[e + 1 : e + 1 + H, :kept].reshape(-1) for e in ends])
    O = y.shape[1]
    q = (2 * noise(3, B * O)).astype(np.float32)
    q[2::5] = np.nan
    w = (noise(4, B) + 1).astype(np.float32) if c["weights"] else np.ones(B, np.float32)
    return x, y, q.reshape(B, O), w


def run(c, dtype):
    model = Mixer(c).to(dtype)
    set_parameters(model)
    x, y, q, w = (torch.from_numpy(a).to(dtype) for a in samples_of(c))
    optimiser = torch.optim.AdamW(model.parameters(), c["rate"], (c["beta1"], c["beta2"]), c["epsilon"], c["decay"])
    point = nn.HuberLoss(reduction="none", delta=c["delta"]) if c["loss"] == "huber" else nn.MSELoss(reduction="none")
    losses, first = [], None
    for step in range(STEPS):
        optimiser.param_groups[0]["lr"] = c["rate"] * c["schedule"][min(step, len(c["schedule"]) - 1)]
        optimiser.zero_grad()
        out = model(x)
        loss = point(out, y).mean(1)
        if c["teacher"] > 0:
            loss = loss + c["teacher"] * torch.where(q.isnan(), 0, out - q.nan_to_num()).square().mean(1)
        loss = (w * loss).mean()
        loss.backward()
        first = flat([p.grad for p in model.parameters()]) if first is None else first
        if c["clip"] > 0:
            nn.utils.clip_grad_norm_(model.parameters(), c["clip"])
        optimiser.step()
        losses.append(loss.item())
    second = flat([optimiser.state[p]["exp_avg_sq"] for p in model.parameters()])
    with torch.no_grad():
        return dict(losses=np.array(losses), gradient=first, parameters=flat(model.parameters()), outputs=flat([model(x)]),
                    rms_gradient=np.sqrt(second / (1 - c["beta2"] ** STEPS)))


flat = lambda tensors: torch.cat([t.detach().reshape(-1) for t in tensors]).double().numpy().copy()
packed = lambda a: base64.b64encode(a.astype("<f4").tobytes()).decode()
recorded = []
for name, changes in CASES.items():
    c = BASE | changes
    exact, single = run(c, torch.float64), run(c, torch.float32)
    recorded.append(dict(name=name, **c, parameter_count=len(exact["parameters"]),
                         losses=exact["losses"].tolist(),
                         **{key: packed(exact[key]) for key in ("gradient", "parameters", "outputs", "rms_gradient")},
                         float32_distance={key: float(np.abs(exact[key] - single[key]).max()) for key in exact}))
print(json.dumps(dict(made_with=f"torch {torch.__version__}, numpy {np.__version__}", steps=STEPS, cases=recorded), indent=1))
