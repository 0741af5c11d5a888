"""Golden values of attention and of exponential smoothing, for make_golden.py."""

import math

import torch
import torch.nn.functional as F

STORED_GRADIENT = 280       # as in make_golden.py


def parameter(case, name, shape, fan_in):
    bits = 11 + max(0, round(0.5 * math.log2(fan_in)))
    return case.input(name, shape, bits).requires_grad_()


def finish(case, x, y, parameters):
    """Writes the output, its weights dy and all gradients of sum(y * dy)."""
    case.array("y", y)
    dy = case.input("dy", list(y.shape))
    (y * dy).sum().backward()
    case.array("grad.x", x.grad, STORED_GRADIENT)
    for name, tensor in parameters.items():
        grad = torch.zeros_like(tensor) if tensor.grad is None else tensor.grad
        case.array("grad." + name, grad, STORED_GRADIENT)
    case.write()


# ---- attention

def attention_parameters(case, units, query, states):
    parameters = {}
    for letter, features in (("q", query), ("k", states), ("v", states), ("o", units)):
        for name, shape in (("weight", [units, features]), ("bias", [units])):
            key = "l0.%s_%s" % (name, letter)
            parameters[key] = parameter(case, key, shape, features)
    return parameters


def attention(query, states, p, units, heads):
    """torch's own: query [B][Tq][Cq], states [B][Tk][Ck] -> [B][Tq][units]."""
    same = query.shape[2] == units and states.shape[2] == units
    weights = [p["l0.weight_" + letter] for letter in "qkv"]
    out, _ = F.multi_head_attention_forward(
        query.transpose(0, 1), states.transpose(0, 1), states.transpose(0, 1), units, heads,
        torch.cat(weights) if same else None,
        torch.cat([p["l0.bias_" + letter] for letter in "qkv"]), None, None, False, 0.0,
        p["l0.weight_o"], p["l0.bias_o"], use_separate_proj_weight=not same,
        q_proj_weight=weights[0], k_proj_weight=weights[1], v_proj_weight=weights[2])
    return out.transpose(0, 1)


def attention_by_hand(query, states, p, units, heads):
    """For queries whose channels are not `units`, which torch refuses."""
    def heads_of(x, letter):
        z = F.linear(x, p["l0.weight_" + letter], p["l0.bias_" + letter])
        return z.reshape(z.shape[0], z.shape[1], heads, units // heads).transpose(1, 2)
    q, k, v = (heads_of(x, letter) for x, letter in ((query, "q"), (states, "k"), (states, "v")))
    w = torch.softmax(q @ k.transpose(2, 3) / math.sqrt(units // heads), dim=3)
    o = (w @ v).transpose(1, 2).reshape(query.shape[0], query.shape[1], units)
    return F.linear(o, p["l0.weight_o"], p["l0.bias_o"])


def attention_case(Case, name, T, B, C, units, heads, cross=False, size=1):
    """Self-attention over x, or the last step's query over all of x."""
    layer = {"type": "attention", "name": "l0", "units": units, "heads": heads}
    layers = [{"type": "last", "name": "now"}, {**layer, "inputs": ["now", "past"]}] if cross else \
        [layer, {"type": "flatten", "name": "out"}]
    case = Case(name, "layers", {"layers": layers})
    x = case.input("x", [B, T, C], 11 - int(math.log2(size))).requires_grad_()
    parameters = attention_parameters(case, units, C, C)
    query = x[:, -1:] if cross else x
    y = attention_by_hand(query, x, parameters, units, heads)
    if C == units:
        torchs = attention(query, x, parameters, units, heads)
        assert torch.allclose(y, torchs, rtol=1e-13, atol=1e-13), name
        y = torchs
    finish(case, x, y[:, 0] if cross else y, parameters)


# ---- exponential smoothing

def smoothing(x, alpha, gamma, m, ahead):
    """x [B][T] -> level at the end [B], seasons of rows T .. T + ahead - 1 [B][ahead]."""
    T = x.shape[1]
    if m > 1:
        level = x[:, :m].mean(1)
        season = [x[:, i] - level for i in range(m)]
    else:
        level = x[:, 0]
        season = [torch.zeros_like(level)]
    for t in range(max(m, 1), T):
        before = season[t % max(m, 1)]
        level = alpha * (x[:, t] - before) + (1 - alpha) * level
        if m > 1:
            season[t % m] = gamma * (x[:, t] - level) + (1 - gamma) * before
    return level, torch.stack([season[(T + h) % max(m, 1)] for h in range(ahead)], 1), season


def smoothing_case(Case, name, T, B, C, m, horizon):
    """One target. horizon 0: the remainder alone; else a dense layer on it, and recompose."""
    layers = [{"type": "smoothing", "name": "l0", "season": m},
              {"type": "remainder", "name": "rest", "inputs": ["past", "l0"]},
              {"type": "flatten", "name": "flat"}]
    if horizon:
        layers += [{"type": "dense", "name": "l1"},
                   {"type": "recompose", "name": "out", "inputs": ["l1", "l0"]}]
    case = Case(name, "layers", {"layers": layers, "loss": "mse"})
    x = case.input("x", [B, T, C]).requires_grad_()
    parameters = {"l0.alpha": parameter(case, "l0.alpha", [1], 1)}
    if m > 1:
        parameters["l0.gamma"] = parameter(case, "l0.gamma", [1], 1)
    alpha = torch.sigmoid(parameters["l0.alpha"] + math.log(0.3 / 0.7))
    gamma = torch.sigmoid(parameters["l0.gamma"] + math.log(0.1 / 0.9)) if m > 1 else None
    level, ahead, season = smoothing(x[:, :, 0], alpha, gamma, m, horizon or 1)
    taken = torch.stack([level + season[t % max(m, 1)] for t in range(T)], 1)
    y = torch.cat([(x[:, :, 0] - taken)[:, :, None], x[:, :, 1:]], 2)
    if horizon:
        for key, shape in (("weight", [horizon, T * C]), ("bias", [horizon])):
            parameters["l1." + key] = parameter(case, "l1." + key, shape, T * C)
        y = F.linear(y.reshape(B, T * C), parameters["l1.weight"], parameters["l1.bias"])
        y = y + level[:, None] + ahead
    finish(case, x, y, parameters)


def cases(Case):
    #                                       T   B  C  units heads
    attention_case(Case, "attention_self", 6, 5, 4, 4, 2)
    attention_case(Case, "attention_cross", 6, 5, 4, 4, 2, True)
    attention_case(Case, "attention_wide", 5, 3, 3, 8, 4)
    attention_case(Case, "attention_t1", 1, 5, 3, 4, 1)
    attention_case(Case, "attention_b72", 3, 72, 3, 6, 3)
    attention_case(Case, "attention_large", 5, 3, 4, 4, 1, False, 4)
    #                                            T  B  C  m horizon
    smoothing_case(Case, "smoothing_none", 7, 5, 3, 0, 0)
    smoothing_case(Case, "smoothing_season", 9, 5, 2, 4, 0)
    smoothing_case(Case, "smoothing_shortest", 4, 3, 1, 4, 0)
    smoothing_case(Case, "smoothing_t1", 1, 3, 2, 1, 0)
    smoothing_case(Case, "smoothing_hybrid", 8, 5, 2, 3, 5)
    smoothing_case(Case, "smoothing_ahead", 8, 19, 2, 5, 2)
