"""RNN, LSTM and GRU with all options, packed or not, and their cells."""

import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from case_set import CaseSet, draw, leaf, normal, randomise

# kind, layers, bidirectional, batch_first, bias, state
GRID = [
    (kind, layers, bidirectional, batch_first, bias, state)
    for kind in ["RNN", "LSTM", "GRU"]
    for layers, bidirectional, batch_first, bias, state in [
        (1, False, False, True, False),
        (1, False, True, False, True),
        (1, True, False, True, True),
        (2, False, False, True, True),
        (2, True, True, True, False),
        (3, True, False, False, True),
    ]
]
# unsorted, sorted, of one length, of one step, alone; none: not packed
LENGTHS = [None, [2, 5, 1, 5], [4, 3, 3, 1], [3, 3, 3], [1, 1], [6]]
CELLS = ["RNNCell", "LSTMCell", "GRUCell"]


def sequence(cases, kind, layers, bidirectional, batch_first, bias, state, lengths, sizes, **options):
    """One case of a layer over sequences; `options` go to the layer and into the configuration, but for `unbatched`."""
    rng = cases.generator()
    cin, hidden = sizes
    unbatched = options.pop("unbatched", False)
    config = {"kind": kind, "input": cin, "hidden": hidden, "layers": layers, "bidirectional": bidirectional}
    config |= {"batch_first": batch_first, "bias": bias, "lengths": lengths, "state": state, **options}
    if unbatched:
        config["unbatched"] = True
    make = getattr(torch.nn, kind)
    layer = make(cin, hidden, layers, bias=bias, batch_first=batch_first, bidirectional=bidirectional, **options)
    layer = randomise(rng, layer)
    batch, time = (len(lengths), max(lengths)) if lengths else (draw(rng, 1, 4), draw(rng, 1, 6))
    axes = [time] if unbatched else [batch, time] if batch_first else [time, batch]
    inputs = {"x": leaf(normal(rng, *axes, cin))}
    if state:
        rows = [layers * (2 if bidirectional else 1), *([] if unbatched else [batch])]
        inputs["h0"] = leaf(normal(rng, *rows, options.get("proj_size") or hidden))
        if kind == "LSTM":
            inputs["c0"] = leaf(normal(rng, *rows, hidden))

    def run(t):
        x = t["x"]
        if lengths:
            x = pack_padded_sequence(x, lengths, batch_first, enforce_sorted=False)
        start = None if not state else (t["h0"], t["c0"]) if kind == "LSTM" else t["h0"]
        y, final = layer(x, start)
        if lengths:
            y, _ = pad_packed_sequence(y, batch_first)
        return [y, *(final if kind == "LSTM" else [final])]

    cases.run(config, run, inputs, layer, rng=rng)


def cell(cases, kind, bias, state, unbatched, **options):
    rng = cases.generator()
    cin, hidden, batch = draw(rng, 1, 5), draw(rng, 1, 5), draw(rng, 1, 4)
    config = {"kind": kind, "input": cin, "hidden": hidden, "bias": bias, "state": state, **options}
    if unbatched:
        config["unbatched"] = True
    layer = randomise(rng, getattr(torch.nn, kind)(cin, hidden, bias, **options))
    rows = [] if unbatched else [batch]
    inputs = {"x": leaf(normal(rng, *rows, cin))}
    if state:
        inputs["h0"] = leaf(normal(rng, *rows, hidden))
        if kind == "LSTMCell":
            inputs["c0"] = leaf(normal(rng, *rows, hidden))

    def run(t):
        start = None if not state else (t["h0"], t["c0"]) if kind == "LSTMCell" else t["h0"]
        return layer(t["x"], start)

    cases.run(config, run, inputs, layer, rng=rng)


def generate():
    cases = CaseSet("rnn")
    for k, (kind, *options) in enumerate(GRID):
        extra = {"nonlinearity": ["tanh", "relu"][k % 2]} if kind == "RNN" else {}
        for lengths in (LENGTHS[k % len(LENGTHS)], LENGTHS[(k + 1) % len(LENGTHS)]):
            rng = cases.generator()
            sequence(cases, kind, *options, lengths, (draw(rng, 1, 5), draw(rng, 1, 6)), **extra)
    # Both nonlinearities over all that packing meets; a hidden state longer than a vector register.
    for nonlinearity in ["tanh", "relu"]:
        sequence(cases, "RNN", 2, True, True, True, True, [2, 4, 1], (3, 11), nonlinearity=nonlinearity)
        sequence(cases, "RNN", 1, True, False, False, False, None, (2, 3), nonlinearity=nonlinearity)
    for kind in ["LSTM", "GRU"]:
        sequence(cases, kind, 2, True, False, True, True, [2, 4, 1], (3, 11))
    for layers, bidirectional, batch_first, bias, state, lengths in [
        (1, False, False, True, True, None),
        (1, False, True, False, False, [1, 3, 2]),
        (1, True, True, True, True, [3, 1]),
        (2, True, False, True, False, None),
        (3, False, False, False, True, [4, 4, 2]),
        (2, True, True, True, True, [2, 3, 3, 1]),
    ]:
        sequence(cases, "LSTM", layers, bidirectional, batch_first, bias, state, lengths, (3, 5), proj_size=2)
    for kind in ["RNN", "LSTM", "GRU"]:
        extra = {"nonlinearity": "tanh"} if kind == "RNN" else {}
        for state in [False, True]:
            sequence(cases, kind, 2, True, state, True, state, None, (3, 4), unbatched=True, **extra)
    for kind in CELLS:
        options = [{"nonlinearity": "tanh"}, {"nonlinearity": "relu"}] if kind == "RNNCell" else [{}]
        for extra in options:
            for bias, state, unbatched in [(True, True, False), (False, True, False), (True, False, False), (True, True, True)]:
                cell(cases, kind, bias, state, unbatched, **extra)
    return cases
