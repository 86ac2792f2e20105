"""The GPU benchmark's peer: the same TSMixer trained by PyTorch, asked for measurements over a pipe.

Reads one JSON request a line from stdin and answers each with one line on stdout; a failure is {"error": sentence}.
  {"do": "info"}                          versions and device
  {"do": "ceilings", "size": n, "bytes": n}   rates of a large matrix product (tf32, fp32) and of a copy, the two floors
  {"do": "open", "id", "mode", ...}       makes a training (see Training), gives its loss before the first step, in fp32
  {"do": "steps", "id", "count"}          makes steps, gives milliseconds of one; {"do": "close", "id"} forgets a training
Series, targets and window ends lie on the device, and so does the draw of a batch: nothing crosses the bus in a step.
Modes: eager; reduce-overhead (torch.compile, forward and backward in CUDA graphs); captured (compiled, then the whole step
with draw, clipping and AdamW in one CUDA graph: the best that PyTorch does without changing the program).
"""
import json, statistics, sys, time, types, warnings
import torch
from torch import nn

warnings.filterwarnings("ignore")
CUDA = torch.cuda.is_available()
DEVICE = torch.device("cuda" if CUDA else "cpu")
torch.backends.cudnn.allow_tf32 = True
torch.set_float32_matmul_precision("high")  # TF32 products


class Block(nn.Module):
    def __init__(self, L, C, F, dropout):
        super().__init__()
        self.norm_time, self.time = nn.LayerNorm((L, C), eps=1e-5), nn.Linear(L, L)
        self.norm_feature, self.up, self.down = nn.LayerNorm((L, C), eps=1e-5), nn.Linear(C, F), nn.Linear(F, C)
        self.drop = nn.Dropout(dropout)

    def forward(self, x):
        x = x + self.drop(torch.relu(self.time(self.norm_time(x).transpose(1, 2)))).transpose(1, 2)
        return x + self.drop(self.down(self.drop(torch.relu(self.up(self.norm_feature(x))))))


class Mixer(nn.Module):
    """Registers its parameters in the order of models/score/tsmixerParameters.ts."""

    def __init__(self, tokens, channels, hidden, blocks, horizon, flat, dropout):
        super().__init__()
        self.blocks = nn.Sequential(*[Block(tokens, channels, hidden, dropout) for _ in range(blocks)])
        self.flat = flat
        self.head = nn.Linear(tokens * channels if flat else tokens, horizon)

    def forward(self, x):
        x = self.blocks(x)
        return self.head(x.flatten(1)) if self.flat else self.head(x.transpose(1, 2)).transpose(1, 2).flatten(1)


def own(function):
    """A copy with a code object of its own: torch.compile keeps what it compiled by code object, and each shape has one."""
    return types.FunctionType(function.__code__.replace(), function.__globals__, function.__name__, None, function.__closure__)


def floats(path, dtype=torch.float32):
    return torch.frombuffer(bytearray(open(path, "rb").read()), dtype=dtype).to(DEVICE)


class Training:
    """tokens, channels, hidden, blocks, horizon, head, batch, dropout, rate, decay, clip; and paths of raw little-endian
    arrays: parameters [P], series [rows, channels], ends [n] int32, targets [n, horizon] or null."""

    def __init__(self, o):
        L, C, H = o["tokens"], o["channels"], o["horizon"]
        flat, batch = o["head"] == "flat", o["batch"]
        model = Mixer(L, C, o["hidden"], o["blocks"], H, flat, o["dropout"]).to(DEVICE)
        nn.utils.vector_to_parameters(floats(o["parameters"]), model.parameters())
        for p in model.parameters():  # vector_to_parameters leaves views of one vector
            p.data = p.data.clone()
        series, ends = floats(o["series"]).view(-1, C), floats(o["ends"], torch.int32).long()
        targets = floats(o["targets"]).view(-1, H) if flat else None
        window = torch.arange(-L + 1, 1, device=DEVICE)
        future = torch.arange(1, H + 1, device=DEVICE)

        def loss_of(index):
            end = ends[index]
            x = series[end[:, None] + window]
            y = targets[index] if flat else series[end[:, None] + future].flatten(1)
            return (model(x) - y).square().mean()

        for constant in (series, ends, targets, window, future):
            if constant is not None:  # or a CUDA graph would copy it at every step
                torch._dynamo.mark_static_address(constant)

        options = dict(fused=True, capturable=True) if CUDA else {}
        self.optimiser = torch.optim.AdamW(model.parameters(), o["rate"], weight_decay=o["decay"], **options)
        self.parameters, self.clip = list(model.parameters()), o["clip"]
        self.n, self.batch, self.mode = len(ends), batch, o["mode"]
        torch.set_float32_matmul_precision("highest")
        model.eval()
        with torch.no_grad():
            self.first_loss = loss_of(torch.arange(batch, device=DEVICE)).item()
        model.train()
        torch.set_float32_matmul_precision("high")
        compiled = {"eager": lambda f: f, "captured": torch.compile,
                    "reduce-overhead": lambda f: torch.compile(f, mode="reduce-overhead")}[self.mode]
        self.loss_of = compiled(own(loss_of))
        self.step = self.captured() if self.mode == "captured" else self.make_step

    def make_step(self):
        if self.mode == "reduce-overhead":
            torch.compiler.cudagraph_mark_step_begin()
        index = torch.randint(self.n, (self.batch,), device=DEVICE)
        self.optimiser.zero_grad(set_to_none=True)
        loss = self.loss_of(index)
        loss.backward()
        if self.clip > 0:
            nn.utils.clip_grad_norm_(self.parameters, self.clip)
        self.optimiser.step()
        return loss

    def captured(self):
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self.make_step()
        torch.cuda.current_stream().wait_stream(side)
        self.optimiser.zero_grad(set_to_none=True)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            loss = self.make_step()

        def step():
            graph.replay()
            return loss

        return step

    def steps(self, count):
        for _ in range(3):
            self.step()
        sync()
        begin = time.perf_counter()
        for _ in range(count):
            loss = self.step()
        sync()
        return dict(step_ms=(time.perf_counter() - begin) * 1e3 / count, loss=loss.item())


def sync():
    if CUDA:
        torch.cuda.synchronize()


def seconds(work, repeats=5):
    """Median seconds of one call, after two to warm up."""
    times = []
    for i in range(repeats + 2):
        sync()
        begin = time.perf_counter()
        work()
        sync()
        times.append(time.perf_counter() - begin)
    return statistics.median(times[2:])


def product_tflops(size, precision):
    torch.set_float32_matmul_precision(precision)
    a, b = torch.randn(2, size, size, device=DEVICE)
    taken = seconds(lambda: a @ b)
    torch.set_float32_matmul_precision("high")
    return 2 * size**3 / taken / 1e12


def ceilings(size, nbytes):
    source = torch.ones(nbytes // 4, device=DEVICE)
    target = torch.empty_like(source)
    copied = seconds(lambda: target.copy_(source))
    return dict(tf32_tflops=product_tflops(size, "high"), fp32_tflops=product_tflops(size, "highest"),
                copy_gbytes_per_s=2 * nbytes / copied / 1e9, size=size, bytes=nbytes)


def info():
    device = torch.cuda.get_device_name() if CUDA else "cpu"
    return dict(torch=torch.__version__, cuda=torch.version.cuda, device=device, python=sys.version.split()[0])


opened = {}


def answer(request):
    do = request["do"]
    if do == "info":
        return info()
    if do == "ceilings":
        return ceilings(request["size"], request["bytes"])
    if do == "open":
        torch.manual_seed(0)
        begin = time.perf_counter()
        one = opened[request["id"]] = Training(request)
        one.step()
        sync()
        return dict(setup_s=time.perf_counter() - begin, first_loss=one.first_loss)
    if do == "steps":
        return opened[request["id"]].steps(request["count"])
    if do == "close":
        del opened[request["id"]]
        return {}
    raise ValueError(f"unknown request {do}")


for line in sys.stdin:
    try:
        reply = answer(json.loads(line))
    except Exception as error:  # one mode that this torch cannot do must not end the others
        reply = dict(error=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:500])
    print(json.dumps(reply), flush=True)
