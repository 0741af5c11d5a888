"""Golden values of networks over segments and sites; make_golden.py calls cases().

What a case has beside the arrays of a "layers" case (all inputs, windows first):

sizes      horizon, targets, future covariates, static covariates, series
future     [B][horizon][nfuture]; the same columns are the last channels of x
static     [B][nstatic]
series     [B] number of the series that a window shows

y and dy are [B][horizon * targets * outputs].  Layers with parameters are l0, l1,
...; the output layer is among them, behind it comes a layer "join".  Where there is
none, the engine puts in its layer "output", as in the other cases.
"""

import torch
import torch.nn.functional as F


class Network:
    """A case under way: sizes, inputs, parameters."""

    def __init__(self, golden, name, spec, B, T, horizon, targets, past=0, future=0, static=0,
                 series=0):
        self.golden = golden
        self.case = golden.Case(name, "layers", spec)
        self.sizes = [horizon, targets, future, static, series]
        self.horizon, self.targets = horizon, targets
        self.case.array("sizes", torch.tensor(self.sizes, dtype=torch.float64))
        self.x = self.case.input("x", [B, T, targets + past + future]).requires_grad_()
        self.future = self.case.input("future", [B, horizon, future]) if future else None
        self.static = self.case.input("static", [B, static]) if static else None
        self.series = [(7 * b + b // 3) % series for b in range(B)] if series else None
        if series:
            self.case.array("series", torch.tensor(self.series, dtype=torch.float64))
        self.parameters = {}

    def parameter(self, name, shape, bits=12):
        self.parameters[name] = self.case.input(name, shape, bits).requires_grad_()
        return self.parameters[name]

    def dense(self, name, x, units, activation="linear"):
        weight = self.parameter(name + ".weight", [units, x.shape[-1]])
        bias = self.parameter(name + ".bias", [units])
        return self.golden.ACTIVATIONS[activation](F.linear(x, weight, bias))

    def recurrent(self, name, kind, x, units):
        """x [B][T][S][C] -> [B][T][S][units], every site by itself."""
        layer = {"type": kind, "name": name, "units": units}
        p = self.golden.make_parameters(self.case, layer, x.shape[-1])
        for key, tensor in p.items():
            self.parameters[name + "." + key] = tensor
        B, T, S, C = x.shape
        y = self.golden.recurrent_by_torch(x.transpose(1, 2).reshape(B * S, T, C), p, "", layer)
        return y.reshape(B, S, T, units).transpose(1, 2)

    def decoder(self, name, h, length):
        """h [B][S][H] -> [B][m][S][H], one step of torch's GRU cell for each position."""
        B, S, H = h.shape
        m = -(-self.horizon // length)
        d = H // 2 if S > 1 else H
        cell = [self.parameter(name + "." + key, shape) for key, shape in
                (("weight_ih", [3 * H, H]), ("weight_hh", [3 * H, H]),
                 ("bias_ih", [3 * H]), ("bias_hh", [3 * H]))]
        position = self.parameter(name + ".position", [m, d], 10)
        e = position[:, None, :].expand(m, S, d)
        if S > 1:
            site = self.parameter(name + ".site", [S, H - d], 10)
            e = torch.cat([e, site[None].expand(m, S, H - d)], -1)
        e = e[None].expand(B, m, S, H).reshape(-1, H)
        h = h[:, None].expand(B, m, S, H).reshape(-1, H)
        return torch._VF.gru_cell(e, h, *cell).reshape(B, m, S, H)

    def sites(self, x):
        G = self.targets
        return torch.stack([torch.cat([x[..., g:g + 1], x[..., G:]], -1) for g in range(G)], 2)

    def embedding(self, name, units):
        weight = self.parameter(name + ".weight", [self.sizes[4], units])
        return F.embedding(torch.tensor(self.series), weight)

    def finish(self, y):
        self.case.array("y", y)
        dy = self.case.input("dy", list(y.shape))
        (y * dy).sum().backward()
        limit = self.golden.STORED_GRADIENT
        self.case.array("grad.x", self.x.grad, limit)
        for name, tensor in self.parameters.items():
            self.case.array("grad." + name, tensor.grad, limit)
        self.case.write()


def segments(x, length, at_end):
    """[B][T][S][C] -> [B][m][S][length * C], filled up with the outermost row."""
    B, T, S, C = x.shape
    missing = -T % length
    edge = (x[:, -1:] if at_end else x[:, :1]).expand(B, missing, S, C)
    x = torch.cat([x, edge] if at_end else [edge, x], 1)
    return x.reshape(B, -1, length, S, C).transpose(2, 3).reshape(B, -1, S, length * C)


def joined(y, length, horizon, targets, outputs):
    """[B][m][S][length * (G / S) * P] -> [B][horizon * G * P]"""
    B, m, S, _ = y.shape
    y = y.reshape(B, m, S, length, targets // S, outputs).transpose(2, 3)
    return y.reshape(B, m * length, targets * outputs)[:, :horizon].reshape(B, -1)


def over(x, *shape):
    """A vector of each window [B][C] at every step and site of shape."""
    return x[:, None, None].expand(x.shape[0], *shape, x.shape[-1])


def segment_network(golden):
    layers = [
        {"type": "sites", "name": "a"},
        {"type": "segment", "name": "b", "length": 3},
        {"type": "dense", "name": "l0", "units": 5, "activation": "relu"},
        {"type": "gru", "name": "l1", "units": 5},
        {"type": "last", "name": "c"},
        {"type": "decoder", "name": "l2", "length": 2},
        {"type": "embedding", "name": "l3", "units": 2},
        {"type": "segment", "name": "d", "length": 2, "inputs": ["future"]},
        {"type": "concat", "name": "e", "inputs": ["l2", "l3", "d"]},
        {"type": "dense", "name": "l4", "units": 4, "activation": "tanh"},
        {"type": "dense", "name": "l5"},
        {"type": "join", "name": "f", "length": 2}]
    net = Network(golden, "segment_network", {"layers": layers, "loss": "gaussian"}, B=18, T=7,
                  horizon=5, targets=3, past=1, future=2, static=2, series=4)
    x = segments(net.sites(net.x), 3, False)
    h = net.recurrent("l1", "gru", net.dense("l0", x, 5, "relu"), 5)[:, -1]
    decoded = net.decoder("l2", h, 2)
    m, S = decoded.shape[1:3]
    ahead = segments(net.future[:, :, None], 2, True)
    decoded = torch.cat([decoded, over(net.embedding("l3", 2), m, S),
                         ahead.expand(-1, m, S, -1)], -1)
    decoded = torch.cat([net.dense("l4", decoded, 4, "tanh"), over(net.static, m, S)], -1)
    net.finish(joined(net.dense("l5", decoded, 2 * 2), 2, 5, 3, 2))


def encoder_decoder(golden):
    layers = [
        {"type": "lstm", "name": "l0", "units": 4, "return_sequences": False},
        {"type": "repeat", "name": "a"},
        {"type": "concat", "name": "b", "inputs": ["a", "future"]},
        {"type": "lstm", "name": "l1", "units": 3, "return_sequences": True},
        {"type": "dense", "name": "l2"},
        {"type": "join", "name": "c"}]
    net = Network(golden, "encoder_decoder", {"layers": layers, "loss": "quantile"}, B=5, T=6,
                  horizon=4, targets=2, past=1, future=1)
    h = net.recurrent("l0", "lstm", net.x[:, :, None], 4)[:, -1:]
    x = torch.cat([h.expand(-1, 4, -1, -1), net.future[:, :, None]], -1)
    y = net.dense("l2", net.recurrent("l1", "lstm", x, 3), 2 * 3)
    net.finish(joined(y, 1, 4, 2, 3))


def concat_broadcast(golden):
    layers = [
        {"type": "sites", "name": "a"},
        {"type": "gru", "name": "l0", "units": 2, "return_sequences": True},
        {"type": "rnn", "name": "l1", "units": 2, "inputs": ["past"], "return_sequences": False},
        {"type": "last", "name": "b", "inputs": ["l0"]},
        {"type": "concat", "name": "c", "inputs": ["l1", "l0", "past", "b", "static"]},
        {"type": "dense", "name": "l2"},
        {"type": "join", "name": "d"}]
    net = Network(golden, "concat_broadcast", {"layers": layers}, B=5, T=4, horizon=4, targets=2,
                  past=1, static=2)
    every = net.recurrent("l0", "gru", net.sites(net.x), 2)
    one = net.recurrent("l1", "rnn", net.x[:, :, None], 2)[:, -1:]
    y = torch.cat([one.expand(-1, 4, 2, -1), every, net.x[:, :, None].expand(-1, -1, 2, -1),
                   every[:, -1:].expand(-1, 4, -1, -1), over(net.static, 4, 2)], -1)
    net.finish(joined(net.dense("l2", y, 1), 1, 4, 2, 1))


def decoder_case(golden, name, horizon, targets, past):
    """More positions, or sites, than a tile has lanes."""
    layers = ([{"type": "sites", "name": "a"}] if targets > 1 else []) + [
        {"type": "last", "name": "b"}, {"type": "decoder", "name": "l0"},
        {"type": "dense", "name": "l1"}, {"type": "join", "name": "c"}]
    net = Network(golden, name, {"layers": layers}, B=2, T=2, horizon=horizon, targets=targets,
                  past=past)
    x = net.sites(net.x) if targets > 1 else net.x[:, :, None]
    net.finish(joined(net.dense("l1", net.decoder("l0", x[:, -1], 1), 1), 1, horizon, targets, 1))


def cases(golden):
    segment_network(golden)
    encoder_decoder(golden)
    concat_broadcast(golden)
    decoder_case(golden, "decoder_positions", 70, 1, 2)
    decoder_case(golden, "decoder_sites", 2, 66, 2)
