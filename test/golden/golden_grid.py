"""Golden values of layers over a grid, by conv2d and its like; make_golden.py calls cases().

Cases have an array "space" as in golden_graph.py.  x is [B][T][S][C], sites row by row.
Where the layer keeps the sites, y and dy are [B][S][T * units], as there.  Where it does not,
all its outputs [T][S'][units] stand at every site, followed by the channels of the site's last
step.

Weights are [units][taps * C], column tap * C + c, taps row by row.
"""

import torch
import torch.nn.functional as F

#  above, upper left, upper right, itself, lower left, lower right, below: steps (q, r) in the
#  axial coordinates of a hexagonal grid, r = row - (col - col % 2) / 2
HEXAGON = [(0, -1), (-1, 0), (1, -1), (0, 0), (-1, 1), (1, 0), (0, 1)]


def hexagon(x):
    """x [B][C][rows][cols] -> [B][rows][cols][7 * C], zeros beyond the edge."""
    rows, cols = x.shape[2:]
    place = {(col, row - (col - col % 2) // 2): (row, col) for row in range(rows) for col in range(cols)}
    taps = []
    for q, r in HEXAGON:
        tap = torch.zeros_like(x)
        for (a, b), (row, col) in place.items():
            if (a + q, b + r) in place:
                i, j = place[a + q, b + r]
                tap[:, :, row, col] = x[:, :, i, j]
        taps.append(tap)
    return torch.cat(taps, 1).permute(0, 2, 3, 1)


class Network:
    """A case under way: inputs, grid, parameters of its one layer."""

    def __init__(self, golden, name, layer, B, T, rows, cols, C, keeps=True, hexagonal=False):
        self.golden, self.layer, self.keeps, self.hexagonal = golden, layer, keeps, hexagonal
        layers = [dict(layer, name="l0"), {"type": "flatten", "name": "out"}]
        if not keeps:
            layers = [layers[0], {"type": "flatten_grid", "name": "cells"}, layers[1],
                      {"type": "last", "name": "now", "inputs": ["past"]},
                      {"type": "concat", "name": "both", "inputs": ["out", "now"]}]
        self.case = golden.Case(name, "layers", {"layers": layers})
        self.case.array("space", torch.tensor([rows * cols, rows, hexagonal], dtype=torch.float64))
        self.shape = (B, T, rows, cols, C)
        self.x = self.case.input("x", [B, T, rows * cols, C]).requires_grad_()
        self.parameters = {}

    def steps(self):
        """T times [B][C][rows][cols]"""
        B, T, rows, cols, C = self.shape
        return [self.x[:, t].reshape(B, rows, cols, C).permute(0, 3, 1, 2) for t in range(T)]

    def parameter(self, name, shape, bits=12):
        self.parameters[name] = self.case.input("l0." + name, shape, bits).requires_grad_()
        return self.parameters[name]

    def product(self, x, weight, bias, of_state=False):
        """[B][C][rows][cols] -> [B][units][rows'][cols']"""
        k = self.layer.get("kernel_size", 3)
        if self.hexagonal and k == 3:
            return F.linear(hexagon(x), weight, bias).permute(0, 3, 1, 2)
        weight = weight.reshape(weight.shape[0], k, k, -1).permute(0, 3, 1, 2)
        if of_state:
            return F.conv2d(x, weight, bias, padding=k // 2)
        same = self.layer.get("padding", "same") == "same"
        return F.conv2d(x, weight, bias, stride=self.layer.get("strides", 1),
                        padding=k // 2 if same else 0)

    def taps(self):
        k = self.layer.get("kernel_size", 3)
        return 7 if self.hexagonal and k == 3 else k * k

    def finish(self, ys):
        """ys: T times [B][units][rows'][cols']"""
        B, T, rows, cols, C = self.shape
        y = torch.stack([y.flatten(2).transpose(1, 2) for y in ys], 1)     # [B][T][S'][units]
        if self.keeps:
            y = y.transpose(1, 2).reshape(B, rows * cols, -1)
        else:
            y = y.reshape(B, 1, -1).expand(-1, rows * cols, -1)
            y = torch.cat([y, self.x[:, -1]], -1)
        limit = self.golden.STORED_GRADIENT
        self.case.array("y", y, limit)
        dy = self.case.input("dy", list(y.shape))
        (y * dy).sum().backward()
        self.case.array("grad.x", self.x.grad, limit)
        for name, tensor in self.parameters.items():
            self.case.array("grad.l0." + name, tensor.grad, limit)
        self.case.write()


def convolution_case(golden, name, size, units, keeps=True, hexagonal=False, **more):
    layer = dict({"type": "conv2d", "units": units}, **more)
    net = Network(golden, name, layer, *size, keeps, hexagonal)
    weight = net.parameter("weight", [units, net.taps() * size[-1]])
    bias = net.parameter("bias", [units])
    act = golden.ACTIVATIONS[more.get("activation", "linear")]
    net.finish([act(net.product(x, weight, bias)) for x in net.steps()])


def recurrent_case(golden, name, kind, size, units, keeps=True, hexagonal=False, **more):
    """The cells of PyTorch with convolutions of input and state."""
    layer = dict({"type": "conv_" + kind, "units": units, "return_sequences": True}, **more)
    net = Network(golden, name, layer, *size, keeps, hexagonal)
    rows = golden.GATES[kind] * units
    wx = net.parameter("weight_ih", [rows, net.taps() * size[-1]])
    wh = net.parameter("weight_hh", [rows, net.taps() * units])
    if kind == "gru":
        bx, bh = net.parameter("bias_ih", [rows]), net.parameter("bias_hh", [rows])
    else:
        bx, bh = net.parameter("bias", [rows]), None
    if more.get("peephole"):
        wci, wcf, wco = [net.parameter("weight_c" + gate, [units], 11)[:, None, None] for gate in "ifo"]
    else:
        wci = wcf = wco = 0
    act = golden.ACTIVATIONS[more.get("activation", "tanh")]
    ys, h, c = [], None, None
    for x in net.steps():
        zx = net.product(x, wx, bx)
        if h is None:
            h = c = torch.zeros_like(zx[:, :units])
        zh = net.product(h, wh, bh, True)
        if kind == "gru":
            (xr, xz, xn), (hr, hz, hn) = zx.chunk(3, 1), zh.chunk(3, 1)
            z = torch.sigmoid(xz + hz)
            h = (1 - z) * act(xn + torch.sigmoid(xr + hr) * hn) + z * h
        elif kind == "lstm":
            i, f, g, o = (zx + zh).chunk(4, 1)
            i, f = torch.sigmoid(i + wci * c), torch.sigmoid(f + wcf * c)
            c = f * c + i * act(g)
            h = torch.sigmoid(o + wco * c) * act(c)
        else:
            h = act(zx + zh)
        ys.append(h)
    net.finish(ys)


def pool_case(golden, name, size, pooled, **more):
    net = Network(golden, name, more, *size, False)
    net.finish([pooled(x) for x in net.steps()])


def cases(golden):
    #                                                   B  T  rows cols C
    convolution_case(golden, "conv2d_same", (3, 2, 4, 5, 3), 4)
    convolution_case(golden, "conv2d_wide", (2, 1, 3, 9, 2), 3, kernel_size=5, activation="tanh")
    convolution_case(golden, "conv2d_narrow", (2, 2, 6, 1, 2), 9)
    convolution_case(golden, "conv2d_b72", (72, 1, 3, 4, 2), 2)
    convolution_case(golden, "conv2d_channels", (2, 1, 4, 4, 18), 17)
    convolution_case(golden, "conv2d_valid", (3, 2, 4, 5, 2), 3, False, padding="valid", activation="relu")
    convolution_case(golden, "conv2d_even", (3, 1, 4, 5, 2), 3, False, padding="valid", kernel_size=2)
    convolution_case(golden, "conv2d_strides", (3, 1, 5, 8, 2), 3, False, strides=2)
    convolution_case(golden, "conv2d_strides_valid", (3, 1, 7, 6, 2), 2, False, strides=3, padding="valid")
    convolution_case(golden, "conv2d_hexagon", (3, 2, 4, 5, 3), 4, hexagonal=True)
    recurrent_case(golden, "conv_lstm", "lstm", (3, 4, 4, 3, 2), 3)
    recurrent_case(golden, "conv_lstm_b72", "lstm", (72, 3, 2, 3, 1), 2)
    recurrent_case(golden, "conv_lstm_peephole", "lstm", (3, 4, 3, 4, 2), 3, peephole=True)
    recurrent_case(golden, "conv_lstm_strides", "lstm", (2, 3, 5, 5, 2), 2, False, strides=2, peephole=True)
    recurrent_case(golden, "conv_lstm_hexagon", "lstm", (2, 3, 4, 3, 2), 2, hexagonal=True)
    recurrent_case(golden, "conv_gru", "gru", (3, 4, 4, 3, 2), 3)
    recurrent_case(golden, "conv_gru_wide", "gru", (2, 3, 3, 5, 2), 2, kernel_size=5)
    recurrent_case(golden, "conv_gru_valid", "gru", (2, 3, 5, 4, 2), 2, False, padding="valid")
    recurrent_case(golden, "conv_rnn", "rnn", (3, 4, 4, 3, 2), 4, activation="softplus")
    pool_case(golden, "max_pool", (3, 2, 5, 6, 2), lambda x: F.max_pool2d(x, 2), type="max_pool")
    pool_case(golden, "max_pool_strides", (3, 1, 5, 6, 2), lambda x: F.max_pool2d(x, 3, 1),
              type="max_pool", pool_size=3, strides=1)
    pool_case(golden, "mean_pool", (3, 2, 5, 6, 2), lambda x: F.avg_pool2d(x, 2), type="mean_pool")
    pool_case(golden, "global_pool", (3, 2, 3, 4, 3), lambda x: x.mean((2, 3), True), type="global_pool")
    pool_case(golden, "global_pool_max", (3, 2, 3, 4, 3), lambda x: x.amax((2, 3), keepdim=True),
              type="global_pool", pool="max")
