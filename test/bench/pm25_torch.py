#!/usr/bin/env python3
"""The Beijing PM2.5 protocol of pm25.sql in PyTorch, for comparison.

usage: pm25_torch.py FOLDER [SEEDS]

FOLDER holds beijing_pm25/PRSA_data_2010.1.1-2014.12.31.csv.  One lag of eight
variables, LSTM(50) and Dense(1), MAE, Adam, 50 epochs, batches of 72 in order,
min-max scaling fitted on the training pairs.  Prints the test RMSE of each
seed and the median.  Weights start as in Keras: Glorot, orthogonal, forget bias
1; the second bias of PyTorch's LSTM stays zero.
"""
import csv
import sys

import numpy as np
import torch

FOLDER = sys.argv[1]
SEEDS = int(sys.argv[2]) if len(sys.argv) > 2 else 5
TRAIN, BATCH, EPOCHS, UNITS = 8760, 72, 50, 50


def rows():
    with open(FOLDER + "/beijing_pm25/PRSA_data_2010.1.1-2014.12.31.csv", newline="") as f:
        data = list(csv.DictReader(f))[24:]
    wind = {w: i for i, w in enumerate(sorted({r["cbwd"] for r in data}))}
    return np.array([[0 if r["pm2.5"] == "NA" else float(r["pm2.5"]), float(r["DEWP"]),
                      float(r["TEMP"]), float(r["PRES"]), wind[r["cbwd"]], float(r["Iws"]),
                      float(r["Is"]), float(r["Ir"])] for r in data])


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = torch.nn.LSTM(8, UNITS, batch_first=True)
        self.dense = torch.nn.Linear(UNITS, 1)
        torch.nn.init.xavier_uniform_(self.dense.weight)
        torch.nn.init.zeros_(self.dense.bias)
        for k in range(4):
            block = slice(k * UNITS, (k + 1) * UNITS)
            torch.nn.init.xavier_uniform_(self.lstm.weight_ih_l0.data[block])
            torch.nn.init.orthogonal_(self.lstm.weight_hh_l0.data[block])
        torch.nn.init.zeros_(self.lstm.bias_ih_l0)
        torch.nn.init.zeros_(self.lstm.bias_hh_l0)
        self.lstm.bias_ih_l0.data[UNITS:2 * UNITS] = 1
        self.lstm.bias_hh_l0.requires_grad_(False)

    def forward(self, x):
        return self.dense(self.lstm(x)[0][:, -1])


def run(seed, data):
    torch.manual_seed(seed)
    low, high = data[:TRAIN + 1].min(0), data[:TRAIN + 1].max(0)
    scaled = ((data - low) / (high - low)).astype("f4")
    x, y = torch.from_numpy(scaled[:-1])[:, None, :], torch.from_numpy(scaled[1:, :1].copy())
    net = Net()
    optimiser = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=1e-3, eps=1e-7)
    for _ in range(EPOCHS):
        for i in range(0, TRAIN, BATCH):
            optimiser.zero_grad()
            torch.nn.functional.l1_loss(net(x[i:min(i + BATCH, TRAIN)]),
                                        y[i:min(i + BATCH, TRAIN)]).backward()
            optimiser.step()
    with torch.no_grad():
        forecast = net(x[TRAIN:]).numpy()[:, 0] * (high[0] - low[0]) + low[0]
    return float(np.sqrt(np.mean((forecast - data[TRAIN + 1:, 0]) ** 2)))


torch.set_num_threads(1)
everything = rows()
scores = [run(seed, everything) for seed in range(1, SEEDS + 1)]
print("PyTorch test RMSE by seed:", " ".join("%.3f" % s for s in scores))
print("PyTorch test RMSE, median of %d seeds: %.3f" % (SEEDS, np.median(scores)))
