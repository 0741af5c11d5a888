"""Golden values of layers over a graph, with dense matrices; make_golden.py calls cases().

What a case has beside the arrays of a "layers" case:

space      sites, rows of a grid, whether it is hexagonal
edges      [E][3] source, target (from 0), weight, in any order

x is [B][T][S][C], y and dy are [B][S][T * units], by "flatten" and the unit matrix of the
engine's layer "output".
"""

import torch
import torch.nn.functional as F

EMBEDDING = 10

SMALL = [(3, 1, 0.75), (0, 1, 0.5), (1, 0, 1.5), (2, 1, 0.25), (1, 2, 2.0), (0, 3, 1.25), (2, 0, 0.375)]


def ring(S):
    """Two neighbours ahead, weights of many sizes; the last site has none."""
    return [((t + k) % (S - 1), t, 0.25 * (1 + (3 * t + 5 * k) % 11))
            for k in (2, 1) for t in range(S - 1)]


class Network:
    """A case under way: inputs, graph, parameters of its one layer."""

    def __init__(self, golden, name, layer, B, T, S, C, edges):
        self.golden, self.layer, self.S = golden, layer, S
        self.case = golden.Case(name, "layers", {"layers": [
            dict(layer, name="l0"), {"type": "flatten", "name": "out"}]})
        self.case.array("space", torch.tensor([S, 0, 0], dtype=torch.float64))
        self.w = torch.zeros(S, S, dtype=torch.float64)     # [source][target]
        if edges:
            self.case.array("edges", torch.tensor(edges, dtype=torch.float64))
        for source, target, weight in edges:
            self.w[source, target] = weight
        self.x = self.case.input("x", [B, T, S, C]).requires_grad_()
        self.parameters = {}

    def parameter(self, name, shape, bits=12):
        self.parameters[name] = self.case.input("l0." + name, shape, bits).requires_grad_()
        return self.parameters[name]

    def supports(self):
        """Matrices [S][S] with y = M x, and whether they recur as polynomials."""
        w, kind = self.w, self.layer.get("support", "forward")
        self.recurs = kind == "chebyshev"
        if kind == "chebyshev":
            both = (w + w.T) / 2
            d = both.sum(1)
            root = torch.where(d > 0, d, torch.ones_like(d)) ** -0.5
            eye = torch.diag((d > 0).double())
            return [2 * (eye - root[:, None] * both * root) / 2 - eye]
        found = []
        if kind in ("forward", "both", "all"):
            found.append(w.T / w.T.sum(1, keepdim=True).clamp(min=1e-9))
        if kind in ("both", "all"):
            found.append(w / w.sum(1, keepdim=True).clamp(min=1e-9))
        if kind in ("adaptive", "all"):
            seeing, seen = self.embeddings
            found.append(torch.softmax(torch.relu(seeing @ seen.T), 1))
        return found

    def support_parameters(self):
        if self.layer.get("support") in ("adaptive", "all"):
            self.embeddings = [self.parameter("embedding_" + part, [self.S, EMBEDDING], 11)
                               for part in ("seeing", "seen")]

    def ntaps(self):
        count = {"both": 2, "all": 3}.get(self.layer.get("support"), 1)
        return 1 + self.layer.get("hops", 2) * count

    def mixed(self, x):
        """x [B][S][C] -> [B][S][taps * C]"""
        taps = [x]
        for m in self.supports():
            before, now = None, x
            for _ in range(self.layer.get("hops", 2)):
                ahead = torch.einsum("ts,bsc->btc", m, now)
                if self.recurs and before is not None:
                    ahead = 2 * ahead - before
                before, now = now, ahead
                taps.append(now)
        return torch.cat(taps, -1)

    def finish(self, y):
        """y [B][T][S][units]"""
        B, T, S, U = y.shape
        y = y.transpose(1, 2).reshape(B, S, T * U)
        self.case.array("y", y)
        dy = self.case.input("dy", list(y.shape))
        (y * dy).sum().backward()
        limit = self.golden.STORED_GRADIENT
        self.case.array("grad.x", self.x.grad, limit)
        for name, tensor in self.parameters.items():
            self.case.array("grad.l0." + name, tensor.grad, limit)
        self.case.write()


def steps(x):
    return [x[:, t] for t in range(x.shape[1])]


def convolution_case(golden, name, B, T, S, C, edges, units, **more):
    net = Network(golden, name, dict({"type": "graph", "units": units}, **more), B, T, S, C, edges)
    weight = net.parameter("weight", [units, net.ntaps() * C])
    bias = net.parameter("bias", [units])
    net.support_parameters()
    act = golden.ACTIVATIONS[more.get("activation", "linear")]
    net.finish(torch.stack([act(F.linear(net.mixed(x), weight, bias)) for x in steps(net.x)], 1))


def recurrent_case(golden, name, kind, B, T, S, C, edges, units, **more):
    """The cells of PyTorch with products of mixed input and mixed state."""
    layer = dict({"type": "graph_" + kind, "units": units, "return_sequences": True}, **more)
    net = Network(golden, name, layer, B, T, S, C, edges)
    rows = golden.GATES[kind] * units
    wx = net.parameter("weight_ih", [rows, net.ntaps() * C])
    wh = net.parameter("weight_hh", [rows, net.ntaps() * units])
    if kind == "gru":
        bx, bh = net.parameter("bias_ih", [rows]), net.parameter("bias_hh", [rows])
    else:
        bx, bh = net.parameter("bias", [rows]), None
    net.support_parameters()
    h = c = torch.zeros(B, S, units, dtype=torch.float64)
    ys = []
    for x in steps(net.x):
        zx, zh = F.linear(net.mixed(x), wx, bx), F.linear(net.mixed(h), wh, bh)
        if kind == "gru":
            (xr, xz, xn), (hr, hz, hn) = zx.chunk(3, -1), zh.chunk(3, -1)
            z = torch.sigmoid(xz + hz)
            h = (1 - z) * torch.tanh(xn + torch.sigmoid(xr + hr) * hn) + z * h
        elif kind == "lstm":
            i, f, g, o = (zx + zh).chunk(4, -1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
        else:
            h = torch.tanh(zx + zh)
        ys.append(h)
    net.finish(torch.stack(ys, 1))


def attention_case(golden, name, B, T, S, C, edges, units, heads, **more):
    layer = dict({"type": "graph_attention", "units": units, "heads": heads}, **more)
    net = Network(golden, name, layer, B, T, S, C, edges)
    D = units // heads
    weight = net.parameter("weight", [units, C])
    source, target = net.parameter("source", [heads, D], 11), net.parameter("target", [heads, D], 11)
    bias = net.parameter("bias", [units])
    linked = (net.w.T > 0) | torch.eye(S, dtype=torch.bool)     # [target][source]
    z = F.linear(net.x, weight).reshape(B, T, S, heads, D)
    p, q = (z * source).sum(-1), (z * target).sum(-1)           # [B][T][S][heads]
    score = F.leaky_relu(p[:, :, None] + q[:, :, :, None], 0.2)  # [B][T][target][source][heads]
    share = torch.softmax(score.masked_fill(~linked[None, None, :, :, None], -torch.inf), 3)
    y = torch.einsum("btijh,btjhd->btihd", share, z).reshape(B, T, S, units) + bias
    net.finish(golden.ACTIVATIONS[more.get("activation", "linear")](y))


def cases(golden):
    #                                                 B  T   S  C
    convolution_case(golden, "graph_forward", 3, 4, 5, 3, SMALL, 4)
    convolution_case(golden, "graph_both", 3, 3, 5, 2, SMALL, 3, support="both", activation="tanh")
    convolution_case(golden, "graph_chebyshev", 3, 3, 5, 2, SMALL, 3, support="chebyshev", hops=4)
    convolution_case(golden, "graph_adaptive", 2, 2, 35, 2, [], 3, support="adaptive")
    convolution_case(golden, "graph_all", 19, 2, 18, 3, ring(18), 2, support="all", hops=2)
    convolution_case(golden, "graph_b72", 72, 2, 7, 2, ring(7), 3, support="both", hops=3)
    recurrent_case(golden, "graph_gru", "gru", 3, 4, 5, 2, SMALL, 3, support="both")
    recurrent_case(golden, "graph_gru_adaptive", "gru", 2, 3, 18, 2, ring(18), 2, support="all", hops=1)
    recurrent_case(golden, "graph_lstm", "lstm", 3, 4, 5, 2, SMALL, 3, support="chebyshev", hops=2)
    recurrent_case(golden, "graph_rnn", "rnn", 3, 4, 5, 3, SMALL, 4, hops=1)
    attention_case(golden, "graph_attention", 3, 3, 5, 3, SMALL, 4, 2)
    attention_case(golden, "graph_attention_b72", 72, 2, 7, 2, ring(7), 3, 1, activation="tanh")
