"""The end-to-end benchmark as it is done outside of the server.

Reads the table by psycopg2, scales, trains with PyTorch, predicts, writes back by
COPY; the connection comes from the environment.  Prints what took how long and
the peak memory of both processes in kB.
"""
import io
import re
import time

start = time.perf_counter()
import numpy as np
import psycopg2
import torch

UNITS, TRAIN, BATCH, EPOCHS = 50, 8760, 72, 50
STATUS = r"VmHWM:\s+(\d+)"


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = torch.nn.LSTM(8, UNITS, batch_first=True)
        self.dense = torch.nn.Linear(UNITS, 1)

    def forward(self, x):
        return self.dense(self.lstm(x)[0][:, -1])


def train(net, x, y):
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-3)
    loss = torch.nn.L1Loss()
    for _ in range(EPOCHS):
        order = torch.randperm(TRAIN)
        for i in range(0, TRAIN, BATCH):
            index = order[i:i + BATCH]
            optimiser.zero_grad(set_to_none=True)
            loss(net(x[index]), y[index]).backward()
            optimiser.step()


def main():
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    torch.manual_seed(0)
    marks = [("import", time.perf_counter())]
    connection = psycopg2.connect("")
    cursor = connection.cursor()
    cursor.execute("DROP TABLE IF EXISTS prediction")
    cursor.execute("CREATE TABLE prediction (i int, yhat float8)")
    cursor.execute("SELECT pm25, dew, temp, press, wnd, wspd, snow, rain FROM pollution ORDER BY i")
    rows = np.array(cursor.fetchall(), dtype="f4")
    marks.append(("read", time.perf_counter()))
    low, high = rows[:TRAIN + 1].min(0), rows[:TRAIN + 1].max(0)
    scaled = (rows - low) / np.where(high > low, high - low, 1)
    x, y = torch.from_numpy(scaled[:-1])[:, None, :], torch.from_numpy(scaled[1:, :1].copy())
    net = Net()
    train(net, x, y)
    marks.append(("train", time.perf_counter()))
    with torch.no_grad():
        forecast = net(x[TRAIN:]).numpy()[:, 0] * (high[0] - low[0]) + low[0]
    lines = io.StringIO()
    lines.writelines("%d\t%.9g\n" % (TRAIN + 2 + k, v) for k, v in enumerate(forecast))
    lines.seek(0)
    cursor.copy_from(lines, "prediction")
    connection.commit()
    marks.append(("predict and write", time.perf_counter()))
    cursor.execute("SELECT pg_read_file('/proc/self/status')")
    print("server", re.search(STATUS, cursor.fetchone()[0]).group(1))
    with open("/proc/self/status") as status:
        print("client", re.search(STATUS, status.read()).group(1))
    print("parts", ", ".join("%s %.2f s" % (name, t - before) for (name, t), before in
                             zip(marks, [start] + [t for _, t in marks])))


main()
