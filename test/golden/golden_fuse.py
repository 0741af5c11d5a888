"""Golden values of layers "fuse" and "lags"; make_golden.py calls cases().

Cases have the arrays of golden_segment.py, and where a network has an array column
"vector":

vector     [B][T][C], what the column's layer shows
missing    [B] bits of the array columns that a window does not have
"""

import torch

from golden_segment import Network, joined

MISSING = [0, 1, 0, 0, 1]


def vector_of(net, C):
    """The array column of the case, and which windows have it [B] (1 or 0)."""
    B, T = net.x.shape[:2]
    vector = net.case.input("vector", [B, T, C])
    bits = [MISSING[b % len(MISSING)] for b in range(B)]
    net.case.array("missing", torch.tensor(bits, dtype=torch.float64))
    return vector, 1 - torch.tensor(bits, dtype=torch.float64)


def gated(net, name, branches, present):
    """branches [B][T][C] each; present [B][k], 1 where a branch takes part."""
    k, C = len(branches), branches[0].shape[-1]
    weight = net.parameter(name + ".weight", [k, k * C])
    bias = net.parameter(name + ".bias", [k])
    masked = [x * present[:, i, None, None] for i, x in enumerate(branches)]
    logits = torch.cat(masked, -1) @ weight.T + bias
    logits = logits.masked_fill(present[:, None, :] == 0, -torch.inf)
    shares = torch.softmax(logits, -1)
    return sum(shares[..., i, None] * masked[i] for i in range(k))


def weighted(net, name, branches, present):
    k = len(branches)
    a = torch.sigmoid(net.parameter(name + ".alpha", [1], 10))
    w = net.parameter(name + ".weight", [k - 2], 11) if k > 2 else None
    one, two = present[:, 0, None, None], present[:, 1, None, None]
    y = one * (two * a + 1 - two) * branches[0] + two * (one * (1 - a) + 1 - one) * branches[1]
    for i in range(2, k):
        y = y + present[:, i, None, None] * w[i - 2] * branches[i]
    return y


def fuse_case(golden, name, fusion, B, T, vector, third):
    """Branches of the past, of the vector where there is one, and of static covariates."""
    U, horizon = 3, 2
    layers = [{"type": "dense", "name": "l0", "units": U, "activation": "tanh"}]
    names = ["l0"]
    if vector:
        layers.append({"type": "dense", "name": "l1", "units": U, "inputs": ["vector"]})
        names.append("l1")
    if third:
        layers.append({"type": "dense", "name": "l2", "units": U, "inputs": ["static"]})
        names.append("l2")
    layers += [{"type": "fuse", "name": "l3", "fusion": fusion, "inputs": names},
               {"type": "gru", "name": "l4", "units": 4, "return_sequences": False},
               {"type": "dense", "name": "l5"}, {"type": "join", "name": "a", "length": horizon}]
    net = Network(golden, name, {"layers": layers}, B=B, T=T, horizon=horizon, targets=1, past=2,
                  static=2 if third else 0)
    branches, present = [net.dense("l0", net.x, U, "tanh")], [torch.ones(B, dtype=torch.float64)]
    if vector:
        x, known = vector_of(net, 4)
        branches.append(net.dense("l1", x, U))
        present.append(known)
    if third:
        branches.append(net.dense("l2", net.static, U)[:, None].expand(B, T, U))
        present.append(torch.ones(B, dtype=torch.float64))
    make = gated if fusion == "gated" else weighted
    y = make(net, "l3", branches, torch.stack(present, 1))
    y = net.recurrent("l4", "gru", y[:, :, None], 4)[:, -1]
    net.finish(joined(net.dense("l5", y[:, None], horizon), horizon, horizon, 1, 1))


def lags_case(golden):
    layers = [{"type": "lags", "name": "a", "lags": [1, 3, 6, 2]},
              {"type": "gru", "name": "l0", "units": 4, "return_sequences": False},
              {"type": "dense", "name": "l1"}, {"type": "join", "name": "b", "length": 2}]
    net = Network(golden, "lags", {"layers": layers}, B=5, T=6, horizon=2, targets=1, past=2)
    x = torch.stack([net.x[:, -lag] for lag in (1, 3, 6, 2)], 1)
    y = net.recurrent("l0", "gru", x[:, :, None], 4)[:, -1]
    net.finish(joined(net.dense("l1", y[:, None], 2), 2, 2, 1, 1))


def cases(golden):
    fuse_case(golden, "fuse_gated", "gated", 18, 5, vector=False, third=True)
    fuse_case(golden, "fuse_gated_array", "gated", 7, 4, vector=True, third=True)
    fuse_case(golden, "fuse_gated_b72", "gated", 72, 3, vector=True, third=False)
    fuse_case(golden, "fuse_weighted", "weighted", 7, 4, vector=True, third=False)
    fuse_case(golden, "fuse_weighted_three", "weighted", 18, 3, vector=True, third=True)
    lags_case(golden)
