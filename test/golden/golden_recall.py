"""Golden values of layers "recall"; make_golden.py calls cases().

Cases have the arrays of golden_segment.py.
"""

import torch

from golden_normalize import located, statistics
from golden_segment import Network, joined, over, segments


def mixture(net, logits, window, season):
    """logits [B][S][n], window [B][T][S][g of its channels] -> base [B][horizon][S * g].

    Share j is that of the lag of n - j seasons; where such a row is yet to come, of
    as many seasons more as it takes to know it.
    """
    T = window.shape[1]
    n = T // season
    shares = torch.softmax(logits, -1)
    base = []
    for h in range(net.horizon):
        step = 0
        for j in range(n):
            row = T + h - (n - j) * season
            while row >= T:
                row -= season
            step = step + shares[:, :, j, None] * window[:, row]
        base.append(step.reshape(step.shape[0], -1))
    return torch.stack(base, 1)


def one_site(golden, name, T, season, horizon, targets, loss, outputs, locations):
    """A past that has rows before its first whole season."""
    layers = [
        {"type": "gru", "name": "l0", "units": 4, "return_sequences": False},
        {"type": "dense", "name": "l1", "units": T // season, "inputs": ["l0"]},
        {"type": "dense", "name": "l2", "inputs": ["l0"]},
        {"type": "recall", "name": "a", "season": season, "inputs": ["l2", "l1", "past"]}]
    net = Network(golden, name, {"layers": layers, "loss": loss}, B=18, T=T, horizon=horizon,
                  targets=targets, past=1)
    h = net.recurrent("l0", "gru", net.x[:, :, None], 4)[:, -1]
    base = mixture(net, net.dense("l1", h, T // season), net.x[:, :, None, :targets], season)
    y = net.dense("l2", h, horizon * targets * outputs)[:, 0]
    parts = [base if p < locations else torch.zeros_like(base) for p in range(outputs)]
    net.finish(y + torch.stack(parts, -1).reshape(y.shape))


def seasonal(golden):
    """What architecture "seasonal" makes: sites, shared statistics, covariates of all kinds."""
    T, season, horizon, targets = 9, 2, 5, 3
    layers = [
        {"type": "sites", "name": "a"},
        {"type": "statistics", "name": "b", "center": "mean", "scale": "standard"},
        {"type": "normalize", "name": "c", "inputs": ["a", "b"]},
        {"type": "segment", "name": "d", "length": season},
        {"type": "gru", "name": "l0", "units": 4},
        {"type": "last", "name": "e"},
        {"type": "embedding", "name": "l1", "units": 2},
        {"type": "concat", "name": "f", "inputs": ["e", "l1"]},
        {"type": "dense", "name": "l2", "units": T // season},
        {"type": "dense", "name": "l3", "inputs": ["f"], "kernel_initializer": "zeros"},
        {"type": "join", "name": "g", "length": horizon},
        {"type": "recall", "name": "h", "season": season, "inputs": ["g", "l2", "c"]},
        {"type": "denormalize", "name": "i", "inputs": ["h", "b"]}]
    net = Network(golden, "recall_seasonal", {"layers": layers, "loss": "gaussian"}, B=5, T=T,
                  horizon=horizon, targets=targets, past=1, future=1, static=2, series=3)
    center, scale = statistics(net.x[..., :targets], "mean", "standard")
    sites = net.sites(net.x)
    own = ((net.x[..., :targets] - center) / scale)[..., None]
    x = torch.cat([own, sites[..., 1:]], -1)
    h = net.recurrent("l0", "gru", segments(x, season, False), 4)[:, -1:]
    h = torch.cat([h, over(net.embedding("l1", 2), 1, targets)], -1)
    logits = net.dense("l2", h, T // season)[:, 0]
    h = torch.cat([h, over(net.future.flatten(1), 1, targets), over(net.static, 1, targets)], -1)
    y = joined(net.dense("l3", h, horizon * 2), horizon, horizon, targets, 2)
    base = mixture(net, logits, own, season)
    net.finish(located(y, net, 2, 1, lambda z: (z + base) * scale + center))


def cases(golden):
    one_site(golden, "recall_quantile", 8, 3, 7, 2, "quantile", 3, 3)
    one_site(golden, "recall_student", 6, 1, 4, 1, "student_t", 3, 1)
    seasonal(golden)
