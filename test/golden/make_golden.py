#!/usr/bin/env python3
"""Writes the golden values: what PyTorch answers, in double precision.

    /usr/bin/python3 test/golden/make_golden.py

Needs PyTorch (tried with 1.13); the tests do not, they read the *.txt files
beside this script.  The script is deterministic: every input is a hash of its
position, so a second run writes the same bytes.

Format of a case file, one item per line:

    # comment
    kind layers|loss|optimizer|training
    spec JSON
    array NAME NDIM D0 D1 ... all            then all values, C order
    array NAME NDIM D0 D1 ... every K        then elements 0, K, 2K, ...
    array NAME NDIM D0 D1 ... hash SEED BITS no values: element i is
                                             (hash(SEED, i) - 2048) / 2^BITS

The hash keeps large weights out of the repository; golden.c computes the same
integers.  All inputs lie on that grid, so a float build reads them exactly.
Values are written with the fewest digits that read back as the same double.

spec is an options object as lstm.train takes it; layers are named l0, l1, ...
A network that ends in a sequence gets a layer "flatten", [T][units] in this order;
where the last layer is not dense the engine puts a dense layer "output" behind
it, to which the test gives the unit matrix.

Names: x [B][T][C] input, y output ([B][T][units], [B][units] where the last
layer returns its last step only), dy gradient of the loss sum(y * dy),
l0.NAME parameter NAME of layer l0, grad.l0.NAME and grad.x gradients.

What differs from torch.nn: rnn and lstm have one bias (torch's two are always
added), gru keeps bias_ih and bias_hh; suffix _l0 is dropped.
"""

import json
import math
import os
import sys

import torch
import torch.nn.functional as F

import golden_attention
import golden_fuse
import golden_graph
import golden_grid
import golden_normalize
import golden_recall
import golden_segment

HERE = os.path.dirname(os.path.abspath(__file__))
MASK = 0xFFFFFFFF
STORED_INPUT = 400          # inputs above that many elements are hashed
STORED_GRADIENT = 280       # gradients above that many elements are sampled


def hash32(seed, index):
    """A 32-bit integer from a seed and a position (multiply and shift)."""
    h = (index * 0x9E3779B1 + seed * 0x85EBCA77 + 0x27D4EB2F) & MASK
    h ^= h >> 15
    h = (h * 0x2C1B3C6D) & MASK
    h ^= h >> 12
    h = (h * 0x297A2D39) & MASK
    return h ^ (h >> 15)


def number(seed, index, bits):
    return ((hash32(seed, index) >> 20) - 2048) / float(1 << bits)


class Case:
    """Collects the lines of one file and hands out its inputs."""

    def __init__(self, name, kind, spec):
        self.name = name
        self.lines = ["# %s: written by make_golden.py with PyTorch, double precision" % name,
                      "kind " + kind, "spec " + json.dumps(spec, separators=(",", ":"))]
        # the seed follows from the name, so a new case does not move the others
        self.seed = 0
        for byte in name.encode():
            self.seed = (self.seed * 31 + byte) & 0xFFFFFF

    def numbers(self, shape, bits):
        """Uniform in [-2048, 2047] / 2^bits: bits = 11 is [-1, 1)."""
        self.seed = (self.seed + 1) & 0xFFFFFF
        values = [number(self.seed, i, bits) for i in range(math.prod(shape))]
        return torch.tensor(values, dtype=torch.float64).reshape(shape)

    def input(self, name, shape, bits=11):
        """The next numbers, written as values or, when many, as their hash."""
        tensor = self.numbers(shape, bits)
        if tensor.numel() > STORED_INPUT:
            self.head(name, shape, "hash %d %d" % (self.seed, bits))
        else:
            self.array(name, tensor)
        return tensor

    def head(self, name, shape, how):
        dims = "".join(" %d" % d for d in shape)
        self.lines.append("array %s %d%s %s" % (name, len(shape), dims, how))

    def array(self, name, tensor, limit=None):
        flat = tensor.detach().contiguous().reshape(-1)
        step = 1
        if limit is not None and flat.numel() > limit:
            step = -(-flat.numel() // limit)
            while any(math.gcd(step, d) > 1 for d in tensor.shape):
                step += 1
        self.head(name, list(tensor.shape), "all" if step == 1 else "every %d" % step)
        values = [repr(v) for v in flat[::step].tolist()]
        assert not any(v in ("nan", "inf", "-inf") for v in values), self.name
        for i in range(0, len(values), 8):
            self.lines.append(" ".join(values[i:i + 8]))

    def write(self):
        with open(os.path.join(HERE, self.name + ".txt"), "w") as out:
            out.write("\n".join(self.lines) + "\n")
        CASES.append(self.name)


CASES = []


# ---- layers

GATES = {"rnn": 1, "gru": 3, "lstm": 4}


def weight_bits(fan_in):
    """Weights of about 1/sqrt(fan_in), as PyTorch's default initialisation."""
    return 11 + max(0, round(0.5 * math.log2(fan_in)))


def make_parameters(case, layer, features):
    """The parameters of one layer under its names; features: its input's."""
    units, kind = layer["units"], layer["type"]
    shapes = []
    if kind == "dense":
        shapes = [("weight", [units, features], features), ("bias", [units], 4)]
    else:
        rows = GATES[kind] * units
        for suffix in ("", "_reverse") if layer.get("bidirectional") else ("",):
            shapes += [("weight_ih" + suffix, [rows, features], units),
                       ("weight_hh" + suffix, [rows, units], units)]
            if kind == "gru":
                shapes += [("bias_ih" + suffix, [rows], 4), ("bias_hh" + suffix, [rows], 4)]
            else:
                shapes += [("bias" + suffix, [rows], 4)]
            if layer.get("peephole"):
                shapes += [("weight_c%s%s" % (g, suffix), [units], 2) for g in "ifo"]
    parameters = {}
    for name, shape, fan_in in shapes:
        tensor = case.input(layer["name"] + "." + name, shape, weight_bits(fan_in))
        parameters[name] = tensor.requires_grad_()
    return parameters


ACTIVATIONS = {"linear": lambda x: x, "tanh": torch.tanh, "sigmoid": torch.sigmoid,
               "relu": torch.relu, "softplus": F.softplus, "gelu": F.gelu}


def lstm_by_hand(x, p, suffix, layer):
    """
    For what torch.nn lacks.  Keras: `activation` is that of the candidate g
    and of the output, `recurrent_activation` that of the gates.  Gers &
    Schmidhuber 2000: peepholes are diagonal, i and f see c(t-1), o sees c(t).
    """
    activation = ACTIVATIONS[layer.get("activation", "tanh")]
    gate = ACTIVATIONS[layer.get("recurrent_activation", "sigmoid")]
    zero = torch.zeros(layer["units"], dtype=torch.float64)
    ci, cf, co = (p.get("weight_c%s%s" % (g, suffix), zero) for g in "ifo")
    h = c = torch.zeros(x.shape[0], layer["units"], dtype=torch.float64)
    outputs = []
    for t in range(x.shape[1]):
        z = x[:, t] @ p["weight_ih" + suffix].T + h @ p["weight_hh" + suffix].T + p["bias" + suffix]
        zi, zf, zg, zo = z.chunk(4, 1)
        i = gate(zi + ci * c)
        f = gate(zf + cf * c)
        c = f * c + i * activation(zg)
        o = gate(zo + co * c)
        h = o * activation(c)
        outputs.append(h)
    return torch.stack(outputs, 1)


def gru_by_hand(x, p, suffix, layer):
    """Linear before reset, with any activations."""
    activation = ACTIVATIONS[layer.get("activation", "tanh")]
    gate = ACTIVATIONS[layer.get("recurrent_activation", "sigmoid")]
    h = torch.zeros(x.shape[0], layer["units"], dtype=torch.float64)
    outputs = []
    for t in range(x.shape[1]):
        xr, xz, xn = F.linear(x[:, t], p["weight_ih" + suffix], p["bias_ih" + suffix]).chunk(3, 1)
        hr, hz, hn = F.linear(h, p["weight_hh" + suffix], p["bias_hh" + suffix]).chunk(3, 1)
        z = gate(xz + hz)
        h = (1 - z) * activation(xn + gate(xr + hr) * hn) + z * h
        outputs.append(h)
    return torch.stack(outputs, 1)


def rnn_by_hand(x, p, suffix, layer):
    activation = ACTIVATIONS[layer.get("activation", "tanh")]
    h = torch.zeros(x.shape[0], layer["units"], dtype=torch.float64)
    outputs = []
    for t in range(x.shape[1]):
        h = activation(F.linear(x[:, t], p["weight_ih" + suffix], p["bias" + suffix]) +
                       F.linear(h, p["weight_hh" + suffix]))
        outputs.append(h)
    return torch.stack(outputs, 1)


BY_HAND = {"lstm": lstm_by_hand, "gru": gru_by_hand, "rnn": rnn_by_hand}


def torch_has(layer):
    if layer.get("peephole") or "recurrent_activation" in layer:
        return False
    return layer.get("activation", "tanh") in (["tanh", "relu"] if layer["type"] == "rnn"
                                               else ["tanh"])


def recurrent_by_torch(x, p, suffix, layer):
    """The functional form of torch.nn.RNN, GRU and LSTM, so autograd reaches p."""
    kind, units = layer["type"], layer["units"]
    if kind == "gru":
        flat = [p[n + suffix] for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    else:
        bias = p["bias" + suffix]
        flat = [p["weight_ih" + suffix], p["weight_hh" + suffix], bias, torch.zeros_like(bias)]
    h = torch.zeros(1, x.shape[0], units, dtype=torch.float64)
    common = (True, 1, 0.0, False, False, True)
    if kind == "lstm":
        return torch._VF.lstm(x, (h, h), flat, *common)[0]
    if kind == "gru":
        return torch._VF.gru(x, h, flat, *common)[0]
    if layer.get("activation", "tanh") == "relu":
        return torch._VF.rnn_relu(x, h, flat, *common)[0]
    return torch._VF.rnn_tanh(x, h, flat, *common)[0]


def layer_forward(x, p, layer):
    if layer["type"] == "dense":
        return ACTIVATIONS[layer.get("activation", "linear")](F.linear(x, p["weight"], p["bias"]))
    run = recurrent_by_torch if torch_has(layer) else BY_HAND[layer["type"]]
    y = run(x, p, "", layer)
    last = y[:, -1]
    if layer.get("bidirectional"):
        # forward and reverse side by side; the reverse one's last step is time 0
        back = run(x.flip(1), p, "_reverse", layer)
        last = torch.cat([last, back[:, -1]], 1)
        y = torch.cat([y, back.flip(1)], 2)
    return y if layer["return_sequences"] else last


def network_forward(x, parameters, layers):
    for p, layer in zip(parameters, layers):
        x = layer_forward(x, p, layer)
    return x


def make_network(case, layers, features):
    parameters = []
    for layer in layers:
        parameters.append(make_parameters(case, layer, features))
        features = layer["units"] * (2 if layer.get("bidirectional") else 1)
    return parameters


def named(layers):
    return [{"type": layer["type"], "name": "l%d" % n, **layer} for n, layer in enumerate(layers)]


def layers_case(name, layers, T, B, C):
    layers = named(layers)
    sequence = all(layer.get("return_sequences", True) for layer in layers)
    case = Case(name, "layers",
                {"layers": layers + ([{"type": "flatten", "name": "out"}] if sequence else [])})
    x = case.input("x", [B, T, C]).requires_grad_()
    parameters = make_network(case, layers, C)
    y = network_forward(x, parameters, layers)
    case.array("y", y)
    dy = case.input("dy", list(y.shape))
    (y * dy).sum().backward()
    case.array("grad.x", x.grad, STORED_GRADIENT)
    for p, layer in zip(parameters, layers):
        for key, tensor in p.items():
            case.array("grad.%s.%s" % (layer["name"], key), tensor.grad, STORED_GRADIENT)
    case.write()


def recurrent(kind, units, **more):
    return {"type": kind, "units": units, **more,
            "return_sequences": more.get("return_sequences", True)}


def dense(units, activation="linear"):
    return {"type": "dense", "units": units, "activation": activation}


def layer_cases():
    families = [("rnn", "rnn", {}), ("rnn_relu", "rnn", {"activation": "relu"}),
                ("gru", "gru", {}), ("lstm", "lstm", {}),
                ("lstm_peephole", "lstm", {"peephole": True}),
                ("lstm_relu", "lstm", {"activation": "relu"}),
                ("lstm_bidirectional", "lstm", {"bidirectional": True})]
    #          name     T   B  C    H
    shapes = [("base",  6,  5, 3,   4), ("t1",    1,  5, 3,   4), ("b1",   6,  1, 1, 4),
              ("h1",    5,  3, 2,   1), ("h129",  3,  2, 3, 129), ("b72",  3, 72, 3, 5),
              ("long", 19,  2, 1,   3)]
    for name, kind, more in families:
        for shape, T, B, C, H in shapes:
            layers_case("%s_%s" % (name, shape), [recurrent(kind, H, **more)], T, B, C)

    layers_case("lstm_last", [recurrent("lstm", 4, return_sequences=False)], 6, 5, 3)
    layers_case("gru_last", [recurrent("gru", 4, return_sequences=False)], 6, 5, 3)
    layers_case("lstm_bidirectional_last",
                [recurrent("lstm", 4, bidirectional=True, return_sequences=False)], 6, 5, 3)
    layers_case("gru_bidirectional", [recurrent("gru", 4, bidirectional=True)], 6, 5, 3)
    layers_case("rnn_bidirectional", [recurrent("rnn", 4, bidirectional=True)], 6, 5, 3)
    layers_case("lstm_peephole_relu",
                [recurrent("lstm", 4, peephole=True, activation="relu")], 6, 5, 3)
    layers_case("rnn_gelu", [recurrent("rnn", 4, activation="gelu")], 6, 5, 3)
    layers_case("rnn_softplus", [recurrent("rnn", 4, activation="softplus")], 6, 5, 3)
    layers_case("gru_relu", [recurrent("gru", 4, activation="relu")], 6, 5, 3)
    for kind in ("gru", "lstm"):
        layers_case(kind + "_softplus",
                    [recurrent(kind, 4, activation="softplus", recurrent_activation="tanh")],
                    6, 5, 3)
    layers_case("lstm_gelu",
                [recurrent("lstm", 4, activation="gelu", recurrent_activation="softplus")], 6, 5, 3)
    layers_case("lstm_peephole_bidirectional",
                [recurrent("lstm", 4, peephole=True, bidirectional=True)], 6, 5, 3)
    layers_case("lstm_stacked", [recurrent("lstm", 5), recurrent("lstm", 4)], 6, 5, 3)
    layers_case("lstm_stacked_bidirectional",
                [recurrent("lstm", 3, bidirectional=True),
                 recurrent("lstm", 2, bidirectional=True)], 6, 5, 3)
    layers_case("mixed_stack",
                [recurrent("gru", 5), recurrent("rnn", 4),
                 recurrent("lstm", 3, return_sequences=False), dense(4, "relu"), dense(2)],
                6, 5, 3)

    for activation in ACTIVATIONS:
        layers_case("dense_" + activation, [dense(4, activation)], 6, 5, 3)
    layers_case("dense_one", [dense(1)], 1, 1, 1)
    layers_case("dense_h129", [dense(129, "tanh")], 3, 2, 5)
    layers_case("dense_b72", [dense(5, "gelu")], 3, 72, 3)


# ---- losses

def loss_value(spec, raw, target, known):
    """raw [B][O][P], target [B][O], known [B][O]; the mean over known targets
    (for quantiles over known targets and levels)."""
    kind = spec["loss"]
    if kind == "mse":
        each = (raw[..., 0] - target) ** 2
    elif kind == "mae":
        each = (raw[..., 0] - target).abs()
    elif kind == "huber":
        each = F.huber_loss(raw[..., 0], target, reduction="none", delta=spec["huber_delta"])
    elif kind == "quantile":
        level = torch.tensor(spec["quantiles"], dtype=torch.float64)
        error = target[..., None] - raw
        each = torch.maximum(level * error, (level - 1) * error).mean(-1)
    elif kind == "gaussian":
        sigma = F.softplus(raw[..., 1]) + 1e-4
        each = -torch.distributions.Normal(raw[..., 0], sigma).log_prob(target)
    else:
        sigma = F.softplus(raw[..., 1]) + 1e-4
        nu = 2 + F.softplus(raw[..., 2]) + 1e-4
        each = -torch.distributions.StudentT(nu, raw[..., 0], sigma).log_prob(target)
    return (each * known).sum() / known.sum()


def loss_case(name, spec, width, extreme=False):
    case = Case("loss_" + name, "loss", spec)
    B, O = 7, 3
    raw = case.numbers([B, O, width], 10)
    if extreme:
        raw[..., 1:] *= 4           # scales from 4e-4 to 8, nu from 2 to 10
    case.array("raw", raw)
    raw.requires_grad_()
    target = case.input("target", [B, O], 10)
    known = torch.tensor([[0.0 if (b * O + o) % 5 == 2 else 1.0 for o in range(O)]
                          for b in range(B)], dtype=torch.float64)
    case.array("known", known)
    loss = loss_value(spec, raw, target, known)
    loss.backward()
    case.array("loss", loss.reshape(1))
    case.array("grad.raw", raw.grad)
    case.write()


def loss_cases():
    loss_case("mse", {"loss": "mse"}, 1)
    loss_case("mae", {"loss": "mae"}, 1)
    loss_case("huber", {"loss": "huber", "huber_delta": 0.75}, 1)
    loss_case("quantile", {"loss": "quantile", "quantiles": [0.1, 0.5, 0.9]}, 3)
    loss_case("gaussian", {"loss": "gaussian"}, 2)
    loss_case("gaussian_extreme", {"loss": "gaussian"}, 2, True)
    loss_case("student_t", {"loss": "student_t"}, 3)
    loss_case("student_t_extreme", {"loss": "student_t"}, 3, True)


# ---- optimisers

OPTIMIZERS = [
    ("sgd", {"optimizer": "sgd", "learning_rate": 0.05}),
    ("sgd_momentum", {"optimizer": "sgd", "learning_rate": 0.05, "momentum": 0.9}),
    ("sgd_nesterov", {"optimizer": "sgd", "learning_rate": 0.05, "momentum": 0.9,
                      "nesterov": True}),
    ("rmsprop", {"optimizer": "rmsprop", "learning_rate": 0.01, "rho": 0.9, "epsilon": 1e-8}),
    ("rmsprop_momentum", {"optimizer": "rmsprop", "learning_rate": 0.01, "rho": 0.9,
                          "epsilon": 1e-8, "momentum": 0.5}),
    ("adagrad", {"optimizer": "adagrad", "learning_rate": 0.05, "epsilon": 1e-8}),
    ("adam", {"optimizer": "adam", "learning_rate": 0.01, "beta_1": 0.9, "beta_2": 0.999,
              "epsilon": 1e-8}),
    ("adamw", {"optimizer": "adamw", "learning_rate": 0.01, "beta_1": 0.9, "beta_2": 0.999,
               "epsilon": 1e-8, "weight_decay": 0.05}),
]


def make_optimizer(spec, parameters):
    """parameters: weights and biases; only weights (2 dimensions) decay."""
    kind, rate = spec["optimizer"], spec["learning_rate"]
    if kind == "sgd":
        return torch.optim.SGD(parameters, lr=rate, momentum=spec.get("momentum", 0.0),
                               nesterov=spec.get("nesterov", False))
    if kind == "rmsprop":
        return torch.optim.RMSprop(parameters, lr=rate, alpha=spec["rho"], eps=spec["epsilon"],
                                   momentum=spec.get("momentum", 0.0))
    if kind == "adagrad":
        return torch.optim.Adagrad(parameters, lr=rate, eps=spec["epsilon"])
    betas = (spec["beta_1"], spec["beta_2"])
    if kind == "adam":
        return torch.optim.Adam(parameters, lr=rate, betas=betas, eps=spec["epsilon"])
    groups = [{"params": [p for p in parameters if p.dim() == 2]},
              {"params": [p for p in parameters if p.dim() != 2], "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=rate, betas=betas, eps=spec["epsilon"],
                             weight_decay=spec["weight_decay"])


def optimizer_cases():
    """One dense layer's weight [1][8] and bias [1]; gradient.* and path.* per step."""
    steps, size = 10, 8
    for name, spec in OPTIMIZERS:
        layers = named([dense(1)])
        case = Case("optimizer_" + name, "optimizer", {"layers": layers, **spec})
        parameters = make_parameters(case, layers[0], size)
        optimizer = make_optimizer(spec, list(parameters.values()))
        gradients = {key: case.input("gradient.l0." + key, [steps] + list(p.shape))
                     for key, p in parameters.items()}
        path = {key: [] for key in parameters}
        for step in range(steps):
            for key, p in parameters.items():
                p.grad = gradients[key][step].clone()
            optimizer.step()
            for key, p in parameters.items():
                path[key].append(p.detach().clone())
        for key in parameters:
            case.array("path.l0." + key, torch.stack(path[key]))
        case.write()


# ---- training

def training_case(name, layers, optimizer_spec, T, B, C, steps):
    """losses [steps] before each step; after.l0.NAME: parameters after the last."""
    layers = named(layers)
    spec = {"layers": layers, "loss": "mse", **optimizer_spec}
    case = Case(name, "training", spec)
    x = case.input("x", [B, T, C])
    target = case.input("target", [B, layers[-1]["units"]])
    parameters = make_network(case, layers, C)
    optimizer = make_optimizer(optimizer_spec, [v for p in parameters for v in p.values()])
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = F.mse_loss(network_forward(x, parameters, layers), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    case.array("losses", torch.stack(losses))
    for p, layer in zip(parameters, layers):
        for key, tensor in p.items():
            case.array("after.%s.%s" % (layer["name"], key), tensor)
    case.write()


def check_by_hand():
    """The hand-written cells equal torch's where torch has one."""
    for kind, run in BY_HAND.items():
        case = Case("check_" + kind, "layers", [])
        layer = named([recurrent(kind, 5)])[0]
        x = case.input("x", [4, 6, 3])
        p = make_parameters(case, layer, 3)
        assert torch.allclose(run(x, p, "", layer), recurrent_by_torch(x, p, "", layer),
                              rtol=0, atol=1e-14), kind


def main():
    torch.set_num_threads(1)
    check_by_hand()
    layer_cases()
    loss_cases()
    optimizer_cases()
    adam = dict(OPTIMIZERS)["adam"]
    training_case("training_adam", [recurrent("lstm", 4, return_sequences=False), dense(1)],
                  adam, 5, 7, 2, 10)
    golden_attention.cases(Case)
    golden_segment.cases(sys.modules[__name__])
    golden_normalize.cases(sys.modules[__name__])
    golden_recall.cases(sys.modules[__name__])
    golden_graph.cases(sys.modules[__name__])
    golden_fuse.cases(sys.modules[__name__])
    golden_grid.cases(sys.modules[__name__])
    with open(os.path.join(HERE, "index.txt"), "w") as out:
        out.write("".join(name + "\n" for name in CASES))
    total = sum(os.path.getsize(os.path.join(HERE, n + ".txt")) for n in CASES)
    print("%d cases, %d bytes, PyTorch %s" % (len(CASES), total, torch.__version__))
    return 0


if __name__ == "__main__":
    sys.exit(main())
