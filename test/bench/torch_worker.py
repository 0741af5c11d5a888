"""A job of bench_jobs.c in PyTorch, obeying the same lines as bench_train serve.

usage: torch_worker.py FILE

FILE is what bench_train wrote: numbers, order of the windows, weights at the
start.  The program is what a careful user writes: windows as one tensor, no
DataLoader, nn.LSTM or nn.GRU over all steps, the head on the last state,
gradients set to None, denormals flushed.  The LSTM's second bias stays zero,
since only the sum of the two acts.
"""
import json
import math
import sys
import time

import numpy as np
import torch

MIN_SIGMA = 1e-4


def resident():
    """Largest resident memory so far in MB."""
    with open("/proc/self/status") as status:
        return [int(line.split()[1]) for line in status if line.startswith("VmHWM")][0] / 1024


def job_read(name):
    """Settings as text and arrays by name, in the order of the file."""
    settings, arrays = {}, {}
    with open(name, "rb") as file:
        while line := file.readline().decode().strip():
            key, _, value = line.partition(" ")
            if key == "array":
                array, kind, *shape = value.split()
                arrays[array] = (np.dtype(kind), [int(n) for n in shape])
            else:
                settings[key] = value
        for array, (kind, shape) in arrays.items():
            count = math.prod(shape)
            arrays[array] = np.frombuffer(file.read(count * kind.itemsize), kind, count).reshape(shape)
    return settings, arrays


class Net(torch.nn.Module):
    """The recurrent layers named in the file, then one linear layer."""

    def __init__(self, arrays):
        super().__init__()
        layers = []
        for name in dict.fromkeys(n.split(".")[0] for n in arrays if "." in n):
            weights = {n.split(".")[1]: torch.tensor(arrays[n]) for n in arrays
                       if n.startswith(name + ".")}
            if "weight" in weights:
                self.dense = torch.nn.Linear(*reversed(weights["weight"].shape))
                self.dense.load_state_dict(weights)
            else:
                layers.append(weights)
        # Layers of one size are one module of several layers, as one would write it.
        self.cells = torch.nn.ModuleList()
        while layers:
            units = layers[0]["weight_hh"].shape[1]
            count = sum(1 for w in layers if w["weight_hh"].shape[1] == units)
            self.cells.append(self.cell(layers[:count], units))
            layers = layers[count:]

    @staticmethod
    def cell(layers, units):
        kind = torch.nn.GRU if layers[0]["weight_hh"].shape[0] == 3 * units else torch.nn.LSTM
        cell = kind(layers[0]["weight_ih"].shape[1], units, len(layers), batch_first=True)
        for k, weights in enumerate(layers):
            if "bias" in weights:
                weights["bias_ih"] = weights.pop("bias")
                weights["bias_hh"] = torch.zeros_like(weights["bias_ih"])
                getattr(cell, "bias_hh_l%d" % k).requires_grad_(False)
            for name, value in weights.items():
                getattr(cell, "%s_l%d" % (name, k)).data.copy_(value)
        return cell

    def forward(self, x):
        for cell in self.cells:
            x, _ = cell(x)
        return self.dense(x[:, -1])


class GridNet(torch.nn.Module):
    """A ConvLSTM, one convolution of input and state together, and a linear layer at each cell."""

    def __init__(self, arrays):
        super().__init__()
        by = {n.split(".")[1]: torch.tensor(arrays[n]) for n in arrays if n.startswith("conv_lstm.")}
        self.units = by["bias"].shape[0] // 4
        weight = torch.cat([self.kernel(by["weight_ih"]), self.kernel(by["weight_hh"])], 1)
        self.gates = torch.nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1)
        self.gates.load_state_dict({"weight": weight, "bias": by["bias"]})
        weight = torch.tensor(arrays["dense.weight"])
        self.dense = torch.nn.Conv2d(weight.shape[1], weight.shape[0], 1)
        self.dense.load_state_dict({"weight": weight[:, :, None, None],
                                    "bias": torch.tensor(arrays["dense.bias"])})

    @staticmethod
    def kernel(weight):
        """[gates][9 places x channels] as Conv2d has it."""
        return weight.reshape(weight.shape[0], 3, 3, -1).permute(0, 3, 1, 2)

    def forward(self, x):
        """x [B][T][C][rows][cols] -> [B][targets][rows][cols]"""
        h = c = x.new_zeros(len(x), self.units, *x.shape[3:])
        for t in range(x.shape[1]):
            i, f, g, o = self.gates(torch.cat([x[:, t], h], 1)).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
        return self.dense(h)


def gaussian_loss(raw, target):
    """Mean negative log density, mu and sigma from two outputs."""
    sigma = torch.nn.functional.softplus(raw[:, 1::2]) + MIN_SIGMA
    z = (target - raw[:, 0::2]) / sigma
    return (torch.log(sigma) + 0.5 * z * z).mean() + 0.5 * math.log(2 * math.pi)


LOSSES = {"mae": torch.nn.L1Loss(), "mse": torch.nn.MSELoss(), "gaussian": gaussian_loss}


class Training:
    def __init__(self, settings, arrays):
        context, horizon = int(settings["context"]), int(settings["horizon"])
        origin = arrays["origin"].astype(np.int64)[:, None]
        past, ahead = origin + np.arange(1 - context, 1), origin + np.arange(1, horizon + 1)
        rows, cols = int(settings["rows"]), int(settings["cols"])
        if rows:                # one series after the other, each a cell
            x, y = [arrays[n].reshape(rows, cols, -1, arrays[n].shape[1]).transpose(2, 3, 0, 1)
                    for n in "xy"]
            self.x = torch.tensor(x[past])
            self.y = torch.tensor(y[ahead]).flatten(1, 2)
        else:
            self.x = torch.tensor(arrays["x"][past])
            self.y = torch.tensor(arrays["y"][ahead]).flatten(1)
        self.orders = torch.tensor(arrays["order"].astype(np.int64))
        self.batch = int(settings["batch"])
        self.loss = LOSSES[settings["loss"]]
        self.net = GridNet(arrays) if rows else Net(arrays)
        self.optimiser = torch.optim.Adam([p for p in self.net.parameters() if p.requires_grad],
                                          lr=float(settings["learning_rate"]),
                                          eps=float(settings["epsilon"]))

    def epoch(self, order):
        losses = []
        for i in range(0, len(order), self.batch):
            index = order[i:i + self.batch]
            self.optimiser.zero_grad(set_to_none=True)
            loss = self.loss(self.net(self.x[index]), self.y[index])
            loss.backward()
            self.optimiser.step()
            losses.append(loss.detach())
        return losses

    def run(self):
        for order in self.orders:
            losses = self.epoch(order)
        return losses

    def result(self, losses):
        """The mean over all windows; the last batch may be smaller."""
        n = self.orders.shape[1]
        return sum(float(loss) * min(self.batch, n - i * self.batch)
                   for i, loss in enumerate(losses)) / n


class Forecasts:
    def __init__(self, settings, arrays):
        self.x = torch.tensor(arrays["x"]).reshape(len(arrays["origin"]), int(settings["context"]), -1)
        self.steps, self.repeat = int(settings["steps"]), int(settings["repeat"])
        self.stateful = int(settings["stateful"])
        self.net = Net(arrays).eval()
        self.batch = min((256, len(self.x)), key=self.time)

    def time(self, batch):
        """Batches that stay in cache may or may not pay: the faster size is taken."""
        self.batch = batch
        self.forecast_all()
        start = time.perf_counter()
        self.forecast_all()
        return time.perf_counter() - start

    def forecast(self, x):
        with torch.no_grad():
            y, state = self.net.cells[0](x)
            steps = [self.net.dense(y[:, -1])]
            for _ in range(self.steps - 1):
                if self.stateful:
                    y, state = self.net.cells[0](steps[-1][:, None, :], state)
                else:
                    x = torch.cat([x[:, 1:], steps[-1][:, None, :]], 1)
                    y, _ = self.net.cells[0](x)
                steps.append(self.net.dense(y[:, -1]))
            return torch.cat(steps, 1)

    def forecast_all(self):
        self.point = [self.forecast(self.x[i:i + self.batch])
                      for i in range(0, len(self.x), self.batch)]

    def run(self):
        for _ in range(self.repeat):
            self.forecast_all()

    def result(self, _):
        return 0.0


def main():
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    settings, arrays = job_read(sys.argv[1])
    job = (Forecasts if int(settings["steps"]) > 0 else Training)(settings, arrays)
    print(json.dumps({"version": torch.__version__}), flush=True)
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        if command == "run":
            wall, cpu = time.perf_counter(), time.process_time()
            result = job.run()
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            print(json.dumps({"wall": wall, "cpu": cpu, "loss": job.result(result),
                              "resident": resident()}), flush=True)
        elif command == "values":
            torch.cat(job.point).numpy().astype("f8").tofile(argument)
            print("{}", flush=True)


main()
