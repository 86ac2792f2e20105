"""Makes tsmixer_golden.json with PyTorch in float64: outputs that the float64 reference must reproduce.

    python3 test/models/score/tsmixer_golden.py > test/models/score/tsmixer_golden.json
"""
import json
import mpmath as mp
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
EPSILON = 1e-5


def numbers(count, multiplier, modulus):
    """Exact binary fractions in (-1/2, 1/2), none of them 0, the same in the test."""
    steps = (torch.arange(count, dtype=torch.int64) * multiplier + 11) % modulus
    return (steps.to(torch.float64) - (modulus - 1) / 2 + 0.25) / 512


class Reader:
    """Takes the parameters off the flat vector, in the order of tsmixerParameters."""

    def __init__(self, values):
        self.values, self.at = values, 0

    def take(self, *dims):
        size = 1
        for dim in dims:
            size *= dim
        part = self.values[self.at : self.at + size].reshape(dims)
        self.at += size
        return part


def forward(shape, values, x):
    L, C, ff, H, kept = (shape[k] for k in ["nTokens", "nChannels", "hidden", "horizon", "keptChannels"])
    read = Reader(values)
    blocks = [
        [read.take(L, C), read.take(L, C), read.take(L, L), read.take(L), read.take(L, C), read.take(L, C)]
        + [read.take(ff, C), read.take(ff), read.take(C, ff), read.take(C)]
        for _ in range(shape["blocks"])
    ]
    flat = shape["head"] == "flat"
    head = [read.take(H, L * C if flat else L), read.take(H)]
    revin = [read.take(C), read.take(C)] if shape["revin"] else None
    assert read.at == len(values)
    act = {"relu": F.relu, "gelu": F.gelu}[shape["activation"]]
    if revin:
        mean = x.mean(1, keepdim=True)
        std = (x.var(1, keepdim=True, unbiased=False) + EPSILON).sqrt()
        x = (x - mean) / std * revin[0] + revin[1]
    for g1, b1, wt, bt, g2, b2, wu, bu, wd, bd in blocks:
        n = F.layer_norm(x, [L, C], g1, b1, EPSILON)
        x = x + act(F.linear(n.transpose(1, 2), wt, bt)).transpose(1, 2)
        n = F.layer_norm(x, [L, C], g2, b2, EPSILON)
        x = x + F.linear(act(F.linear(n, wu, bu)), wd, bd)
    if flat:
        return F.linear(x.flatten(1), *head)
    y = F.linear(x[:, :, :kept].transpose(1, 2), *head).transpose(1, 2)
    if revin:
        y = (y - revin[1][:kept]) / revin[0][:kept] * std[:, :, :kept] + mean[:, :, :kept]
    return y.flatten(1)


def count(L, C, ff, blocks, H, head, revin):
    per_block = 4 * L * C + L * L + L + 2 * ff * C + ff + C
    return blocks * per_block + H * (L * C if head == "flat" else L) + H + (2 * C if revin else 0)


cases = []
for L, C, ff, blocks, H, head, kept, act, revin in [
    (4, 3, 5, 1, 1, "flat", 3, "relu", False),
    (4, 3, 5, 1, 1, "flat", 3, "gelu", False),
    (7, 5, 3, 2, 3, "flat", 5, "gelu", False),
    (9, 1, 4, 3, 2, "flat", 1, "relu", False),
    (1, 6, 7, 2, 1, "flat", 6, "gelu", False),
    (5, 4, 6, 2, 3, "temporal", 4, "relu", False),
    (6, 5, 9, 2, 4, "temporal", 2, "gelu", False),
    (11, 3, 2, 2, 5, "temporal", 3, "relu", True),
    (8, 7, 13, 3, 2, "temporal", 4, "gelu", True),
]:
    shape = {"nTokens": L, "nChannels": C, "hidden": ff, "blocks": blocks, "horizon": H, "head": head,
             "keptChannels": kept, "activation": act, "revin": revin}
    rows = 3
    values = numbers(count(L, C, ff, blocks, H, head, revin), 7919, 509)
    windows = numbers(rows * L * C, 104729, 1021).reshape(rows, L, C) * 4
    outputs = forward(shape, values, windows)
    cases.append({"shape": shape, "rows": rows, "outputs": outputs.flatten().tolist()})

mp.mp.dps = 40
points = [-9, -6, -5.7, -5, -3.3, -2, -1, -0.67, -0.66, -0.3, -1e-9, 0, 1e-3, 0.66, 0.67, 0.9, 1.5, 4, 5.7, 6, 40]
gelu = [[x, float(mp.mpf(x) * mp.erfc(-mp.mpf(x) / mp.sqrt(2)) / 2)] for x in points]

print(json.dumps({"made_with": f"torch {torch.__version__}, float64; mpmath {mp.__version__}", "cases": cases,
                  "gelu": gelu}, indent=1))
