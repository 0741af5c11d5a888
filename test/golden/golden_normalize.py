"""Golden values of window normalization and seasonal residuals; make_golden.py calls cases().

Cases have the arrays of golden_segment.py.  The learned gain and shift of a layer
"normalize" are drawn around 0, not around 1 and 0, where they start.
"""

import torch

from golden_segment import Network, joined

EPSILON = 1e-5
GAIN_EPSILON = 1e-6


def statistics(x, center, scale):
    """x [B][T][G] of targets -> center, scale [B][1][G]."""
    mean = x.mean(1, keepdim=True)
    spread = {"none": torch.ones_like(mean),
              "standard": torch.sqrt(x.var(1, unbiased=False, keepdim=True) + EPSILON),
              "mean": x.abs().mean(1, keepdim=True) + EPSILON}[scale]
    return {"none": torch.zeros_like(mean), "last": x[:, -1:], "mean": mean}[center], spread


def with_targets(x, targets):
    """Replaces the first channels of x [B][T][C]."""
    return torch.cat([targets, x[..., targets.shape[-1]:]], -1)


def located(y, net, outputs, locations, change):
    """Applies change to the locations [B][horizon][G] among y [B][horizon * G * P]."""
    y = y.reshape(-1, net.horizon, net.targets, outputs)
    changed = [change(y[..., p]) if p < locations else y[..., p] for p in range(outputs)]
    return torch.stack(changed, -1).reshape(y.shape[0], -1)


def inverse(gain):
    return gain / (gain ** 2 + GAIN_EPSILON)


def plain(golden, name, center, scale, T, targets, loss, outputs, locations):
    """statistics, normalize, a GRU and denormalize; gain and shift are left out."""
    layers = [
        {"type": "statistics", "name": "a", "center": center, "scale": scale},
        {"type": "normalize", "name": "b", "inputs": ["past", "a"]},
        {"type": "gru", "name": "l0", "units": 4},
        {"type": "dense", "name": "l1"},
        {"type": "denormalize", "name": "c", "inputs": ["l1", "a"]}]
    net = Network(golden, name, {"layers": layers, "loss": loss}, B=5, T=T, horizon=3,
                  targets=targets, past=1)
    own = net.x[..., :targets]
    c, s = statistics(own, center, scale)
    x = with_targets(net.x, (own - c) / s)
    h = net.recurrent("l0", "gru", x[:, :, None], 4)[:, -1, 0]
    y = net.dense("l1", h, 3 * targets * outputs)
    net.finish(located(y, net, outputs, locations, lambda z: z * s + c))


def reversible(golden):
    """With gain and shift, undone at the end (Kim et al. 2022); more windows than lanes."""
    layers = [
        {"type": "statistics", "name": "a", "center": "mean", "scale": "standard"},
        {"type": "normalize", "name": "l0", "affine": True, "inputs": ["past", "a"]},
        {"type": "lstm", "name": "l1", "units": 4},
        {"type": "dense", "name": "l2"},
        {"type": "denormalize", "name": "b", "inputs": ["l2", "a", "l0"]}]
    net = Network(golden, "normalize_reversible", {"layers": layers, "loss": "quantile"}, B=50, T=6,
                  horizon=2, targets=3, past=2)
    own = net.x[..., :3]
    c, s = statistics(own, "mean", "standard")
    gain, shift = net.parameter("l0.gain", [3]), net.parameter("l0.shift", [3])
    x = with_targets(net.x, (own - c) / s * gain + shift)
    y = net.dense("l2", net.recurrent("l1", "lstm", x[:, :, None], 4)[:, -1, 0], 2 * 3 * 3)
    net.finish(located(y, net, 3, 3, lambda z: (z - shift) * inverse(gain) * s + c))


def at_sites(golden):
    """Each target a site: its own statistics, gain and shift; two outputs, one a width."""
    layers = [
        {"type": "sites", "name": "a"},
        {"type": "statistics", "name": "b", "center": "last", "scale": "mean"},
        {"type": "normalize", "name": "l0", "affine": True, "inputs": ["a", "b"]},
        {"type": "gru", "name": "l1", "units": 3},
        {"type": "repeat", "name": "c", "steps": 2},
        {"type": "dense", "name": "l2"},
        {"type": "join", "name": "d", "length": 2},
        {"type": "denormalize", "name": "e", "inputs": ["d", "b", "l0"]}]
    net = Network(golden, "normalize_sites", {"layers": layers, "loss": "gaussian"}, B=5, T=5,
                  horizon=3, targets=2, past=1)
    own = net.x[..., :2]
    c, s = statistics(own, "last", "mean")
    gain, shift = net.parameter("l0.gain", [2]), net.parameter("l0.shift", [2])
    x = net.sites(with_targets(net.x, (own - c) / s * gain + shift))
    h = net.recurrent("l1", "gru", x, 3)[:, -1:].expand(-1, 2, -1, -1)
    y = joined(net.dense("l2", h, 2 * 2), 2, 3, 2, 2)
    net.finish(located(y, net, 2, 1, lambda z: (z - shift) * inverse(gain) * s + c))


def seasonal(golden):
    layers = [
        {"type": "gru", "name": "l0", "units": 3},
        {"type": "dense", "name": "l1"},
        {"type": "residual", "name": "a", "season": 3}]
    net = Network(golden, "residual_season", {"layers": layers, "loss": "quantile"}, B=5, T=4,
                  horizon=5, targets=2, past=1)
    y = net.dense("l1", net.recurrent("l0", "gru", net.x[:, :, None], 3)[:, -1, 0], 5 * 2 * 3)
    before = net.x[:, [1 + h % 3 for h in range(5)], :2]
    net.finish(located(y, net, 3, 3, lambda z: z + before))


def cases(golden):
    plain(golden, "normalize_last", "last", "none", 6, 2, "mse", 1, 1)
    plain(golden, "normalize_standard", "mean", "standard", 6, 1, "student_t", 3, 1)
    plain(golden, "normalize_mean", "mean", "mean", 6, 3, "quantile", 3, 3)
    plain(golden, "normalize_scale", "none", "standard", 6, 2, "mae", 1, 1)
    plain(golden, "normalize_t1", "mean", "standard", 1, 1, "mse", 1, 1)
    reversible(golden)
    at_sites(golden)
    seasonal(golden)
