"""Metrics: scikit-learn's and sacreBLEU's figures, with ties, absent classes, sets of one class, ignored targets, odd texts."""

import warnings

import numpy as np
import torch
from sacrebleu.metrics import BLEU
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a
from sklearn import metrics as sk

from case_set import CaseSet

IGNORE = -100
AVERAGES = ["macro", "micro", "weighted"]
SCORES = {"precision": sk.precision_score, "recall": sk.recall_score, "f1": sk.f1_score}


def generate():
    # What is undefined is NaN or 0, and says so in a warning.
    warnings.simplefilter("ignore")
    cases = CaseSet("metrics")
    top_k(cases)
    class_scores(cases)
    rankings(cases)
    differences(cases)
    perplexity(cases)
    bleu(cases)
    return cases


def top_k(cases):
    for k in [1, 2, 3, 5]:
        for shape, tied in [((17, 5), False), ((23, 5), True), ((3, 5, 4), True)]:
            rng = cases.generator()
            output, target = outputs(rng, shape, tied), classes(rng, shape)
            value = sk.top_k_accuracy_score(target.ravel(), rows(output), k=k, labels=range(shape[1]))
            add(cases, {"kind": "top_k_accuracy", "k": k}, output, target, value=value)


def class_scores(cases):
    for name, score in SCORES.items():
        for shape, among, ignored in [((29, 4), 4, 0), ((29, 6), 3, 0), ((4, 3, 5, 2), 3, 9), ((7, 3), 1, 0)]:
            rng = cases.generator()
            output, target = outputs(rng, shape, False), classes(rng, shape, among)
            target.ravel()[:ignored] = IGNORE
            kept = target.ravel() != IGNORE
            true, predicted = target.ravel()[kept], rows(output).argmax(1)[kept]
            figures = {average: score(true, predicted, average=average) for average in AVERAGES}
            figures["per_class"] = score(true, predicted, average=None, labels=range(shape[1]))
            add(cases, {"kind": name}, output, target, **figures)
        for shape, threshold, positives in [((31,), 0.0, 0.5), ((19, 3), 0.5, 0.3), ((4, 2, 5), 0.0, 0.5), ((8, 3), 0.0, 0.0)]:
            rng = cases.generator()
            # Values that are the threshold itself don't lie above it.
            output = outputs(rng, shape, True) + threshold
            target = (rng.random(shape) < positives).astype(np.float64)
            true, predicted = label_rows(target), label_rows(output) > threshold
            if true.shape[1] == 1:
                # scikit-learn knows a single column as two classes.
                binary = score(true.ravel(), predicted.ravel(), average="binary")
                figures = {average: binary for average in AVERAGES} | {"per_class": [binary]}
            else:
                figures = {average: score(true, predicted, average=average) for average in AVERAGES}
                figures["per_class"] = score(true, predicted, average=None)
            add(cases, {"kind": name, "threshold": threshold}, output, target, **figures)
        # A label that is neither there nor predicted, beside others.
        rng = cases.generator()
        output, target = outputs(rng, (13, 3), True), (rng.random((13, 3)) < 0.5).astype(np.float64)
        output[:, 1], target[:, 1] = -1.0, 0.0
        figures = {average: score(target, output > 0, average=average) for average in AVERAGES}
        figures["per_class"] = score(target, output > 0, average=None)
        add(cases, {"kind": name, "threshold": 0.0}, output, target, **figures)
    for shape, among, ignored in [((41, 5), 5, 0), ((3, 4, 6), 2, 4)]:
        rng = cases.generator()
        output, target = outputs(rng, shape, False), classes(rng, shape, among)
        target.ravel()[:ignored] = 77
        kept = target.ravel() != 77
        true, predicted, labels = target.ravel()[kept], rows(output).argmax(1)[kept], range(shape[1])
        add(
            cases,
            {"kind": "confusion_matrix", "ignore_index": 77},
            output,
            target,
            value=sk.accuracy_score(true, predicted),
            matrix=sk.confusion_matrix(true, predicted, labels=labels),
            shares=sk.confusion_matrix(true, predicted, labels=labels, normalize="true"),
        )
    rng = cases.generator()
    output, target = outputs(rng, (11, 3), True), (rng.random((11, 3)) < 0.4).astype(np.float64)
    true, predicted = target.ravel(), output.ravel() > 0.5
    add(
        cases,
        {"kind": "confusion_matrix", "threshold": 0.5},
        output,
        target,
        value=sk.accuracy_score(true, predicted),
        matrix=sk.confusion_matrix(true, predicted),
        shares=sk.confusion_matrix(true, predicted, normalize="true"),
    )


def rankings(cases):
    for name, score in {"auroc": sk.roc_auc_score, "average_precision": sk.average_precision_score}.items():
        # Labels: single ones and several, tied scores, none or nothing but positives.
        for shape, tied, positives in [
            ((37,), False, 0.5),
            ((53,), True, 0.3),
            ((20, 1), True, 0.5),
            ((5,), False, 1.0),
            ((5,), True, 0.0),
            ((29, 3), True, 0.4),
            ((4, 2, 9), False, 0.5),
            ((9, 2), True, 0.0),
        ]:
            rng = cases.generator()
            output, target = outputs(rng, shape, tied), (rng.random(shape) < positives).astype(np.float64)
            true, scores = label_rows(target), label_rows(output)
            per_class = [score(true[:, i], scores[:, i]) for i in range(true.shape[1])]
            value = score(true, scores, average="macro") if true.shape[1] > 1 else per_class[0]
            add(cases, {"kind": name, "per_class": True}, output, target, value=value, per_class=per_class)
        # Labels of which some don't count.
        rng = cases.generator()
        output, target = outputs(rng, (23, 2), True), (rng.random((23, 2)) < 0.5).astype(np.float64)
        target[3:9, 0], target[7:8, 1] = IGNORE, IGNORE
        kept = target != IGNORE
        per_class = [score(target[kept[:, i], i], output[kept[:, i], i]) for i in range(2)]
        add(cases, {"kind": name, "per_class": True}, output, target, value=np.mean(per_class), per_class=per_class)
        # Classes: logits or probabilities, two or more, one that is absent.
        for shape, tied, among, logits, ignored in [
            ((41, 4), False, 4, True, 0),
            ((41, 4), True, 4, False, 0),
            ((3, 3, 8), False, 3, True, 5),
            ((19, 2), True, 2, True, 0),
            ((19, 2), True, 2, False, 0),
            ((15, 4), False, 3, True, 0),
            ((6, 3), False, 1, True, 0),
        ]:
            rng = cases.generator()
            output, target = outputs(rng, shape, tied), classes(rng, shape, among)
            if not logits:
                output = softmax(output)
            target.ravel()[:ignored] = IGNORE
            kept = target.ravel() != IGNORE
            scores = (softmax(rows(output)) if logits else rows(output))[kept]
            one_hot = (target.ravel()[kept, None] == np.arange(shape[1])).astype(int)
            if shape[1] == 2:
                scores, one_hot = scores[:, 1:], one_hot[:, 1:]
            per_class = [score(one_hot[:, i], scores[:, i]) for i in range(one_hot.shape[1])]
            value = np.mean(per_class)
            if name == "auroc" and among == shape[1] > 2:
                value = score(target.ravel()[kept], scores, multi_class="ovr")
            config = {"kind": name, "logits": logits, "per_class": True}
            add(cases, config, output, target, value=value, per_class=per_class)


def differences(cases):
    for name, score in {
        "mae": sk.mean_absolute_error,
        "mse": sk.mean_squared_error,
        "rmse": lambda true, y: sk.mean_squared_error(true, y) ** 0.5,
        "r2": sk.r2_score,
    }.items():
        for shape, mean, spread in [((43,), 0.0, 1.0), ((43,), 1e9, 1.0), ((17, 3), -2.0, 5.0), ((6, 2, 2), 0.0, 1.0), ((8,), 3.0, 0.0)]:
            rng = cases.generator()
            target = mean + spread * rng.standard_normal(shape)
            output = target + rng.standard_normal(shape) / 2
            n = shape[0]
            add(cases, {"kind": name}, output, target, value=score(target.reshape(n, -1), output.reshape(n, -1)))
        rng = cases.generator()
        # Right, and all the same; a single sample.
        for target in [np.full(4, 0.1), np.full(1, 0.3)]:
            add(cases, {"kind": name}, target, target, value=score(target, target))


def perplexity(cases):
    for shape, ignored, scale in [((13, 7), 0, 1.0), ((3, 6, 5), 4, 3.0), ((2, 4, 3, 2), 1, 300.0), ((4, 3), 4, 1.0)]:
        rng = cases.generator()
        output, target = outputs(rng, shape, False) * scale, classes(rng, shape)
        target.ravel()[:ignored] = IGNORE
        loss = torch.nn.functional.cross_entropy(torch.from_numpy(output), torch.from_numpy(target))
        add(cases, {"kind": "perplexity"}, output, target, value=loss.exp())


HYPOTHESES = [
    "The dog bit the man.",
    "It wasn't surprising, was it?",
    "He paid $1,234.56 for 3-4 well-known «things» (e.g. a T-shirt).",
    "",
    "   ",
    "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich – schnell!",
    "猫はマットの上に座った。 The 猫 sat.",
    "the the the the the the the",
    "A &quot;quoted&quot; &amp; &lt;escaped&gt; &amp;lt; text <skipped> here",
    "line one-\nline two\nline three \n",
    "tabs\tand\u00a0no-break\u2003spaces\u3000and\x1cseparators\x1d.\x85",
    "1.5 .5 5. 1,000,000 a.b a,b ,, .. ... -5 5-5 a-5 5-a",
    "email@example.com http://x.y/z?q=1&r=2#f [a]{b}|c~d^e_f`g\\h+i*j%k;l:m!n",
    "emoji 👍🏽 and ﬁ ligature, İstanbul ΣΑΣ É",
    "it's 'quoted' - dash-dash -- and —em",
    "the line ends with a hyphen -\n",
    "two references as close",
]
REFERENCES = [
    ["The dog bit the man.", "The dog had bit the man."],
    ["It was not unexpected.", "No one was surprised."],
    ["He paid $1,234.56 for 3 - 4 well-known \"things\" (e.g., a T-shirt).", "He spent 1,234.56 dollars."],
    ["There is nothing to say.", "Nothing."],
    ["Something", ""],
    ["Zwölf Boxkämpfer jagten Viktor quer über den großen Sylter Deich.", "Zwölf Boxkämpfer – schnell!"],
    ["猫はマットの上に座った。 The cat sat.", "猫 The 猫 sat ."],
    ["the cat is on the mat", "there is a cat on the mat the"],
    ["A \"quoted\" & <escaped> < text here", "A quoted text"],
    ["line oneline two line three", "line one - line two line three"],
    ["tabs and no-break spaces and separators .", "tabs and no-break spaces"],
    ["1.5 .5 5 . 1,000,000 a . b a , b , , . . . . . -5 5 - 5 a-5 5 - a", "1.5"],
    ["email @ example . com http : / / x . y / z ? q = 1", "[ a ] { b } | c ~ d ^ e _ f ` g \\ h + i * j % k ; l : m ! n"],
    ["emoji 👍🏽 and fi ligature , İstanbul σας é", "i̇stanbul"],
    ["it's 'quoted' - dash-dash -- and — em", "it 's"],
    ["the line ends with a hyphen -", "the line ends with a hyphen"],
    ["two references that are as close", "two references"],
]
# Every sign of ASCII between two letters, two digits and in between; signs side by side; white space of all kinds.
MORE_TEXTS = [
    *(f"a{chr(c)}b 1{chr(c)}2 a{chr(c)}1 2{chr(c)}b {chr(c)} {chr(c)}{chr(c)}{chr(c)}" for c in range(1, 128) if not chr(c).isalnum()),
    "1.,2 ,.3 4-., 5--6 .-, '.' ',' &amp;quot; &amp;amp; & amp; &AMP; &lt;&gt;",
    "\u0661.\u0662 \u00b2,5 x\u00b2. 5\u20135 \u2026 \u201ca\u201d\u2019s",
    "".join(f"w{chr(c)}" for c in [0x85, 0xA0, 0x1680, 0x2000, 0x200A, 0x200B, 0x2028, 0x2029, 0x202F, 0x205F, 0x2060, 0x3000, 0xFEFF]),
    ".5 or 5.",
    ",5 or 5,",
    "<skip<skipped>ped> -\n-\r\n-\n\n.",
]


def bleu(cases):
    everything = list(range(len(HYPOTHESES)))
    corpora = [everything, [0], [1], [3, 4], [0, 1, 5]]
    options = [
        {},
        {"lowercase": True},
        {"tokenizer": "none"},
        {"smoothing": "none"},
        {"smoothing": "floor", "smooth_value": 0.1},
        {"smoothing": "add-k", "smooth_value": 1.0},
        {"effective_order": True},
    ]
    for option in options:
        for corpus in corpora:
            add_bleu(cases, option, [HYPOTHESES[i] for i in corpus], [REFERENCES[i] for i in corpus])
    for corpus in [[3], [7], [2, 6, 8], [9, 10], [11, 12, 13, 14], [15], [16]]:
        add_bleu(cases, {}, [HYPOTHESES[i] for i in corpus], [REFERENCES[i] for i in corpus])
    cases.add(
        {
            "kind": "tokenize_13a",
            "texts": HYPOTHESES + MORE_TEXTS,
            "tokens": [Tokenizer13a()(text) for text in HYPOTHESES + MORE_TEXTS],
        }
    )
    # One reference; texts shorter than four tokens; nothing in common.
    for option in [{}, {"effective_order": True}]:
        for hypothesis, reference in [("a b c", "a b c"), ("a b", "a b c d"), ("a", "b"), ("a b c d e", "a x c y e"), ("", "")]:
            add_bleu(cases, option, [hypothesis], [[reference]])
        add_bleu(cases, option, HYPOTHESES, [[reference[0]] for reference in REFERENCES])


def add_bleu(cases, option, hypotheses, references):
    def metric(method, value):
        return BLEU(
            lowercase=option.get("lowercase", False),
            tokenize=option.get("tokenizer", "13a"),
            smooth_method=method,
            smooth_value=value,
            effective_order=option.get("effective_order", False),
        )

    # sacreBLEU wants each reference of all texts together.
    streams = [list(stream) for stream in zip(*references)]
    score = metric(option.get("smoothing", "exp"), option.get("smooth_value")).corpus_score(hypotheses, streams)
    # Smoothing may have changed the counts.
    plain = metric("none", None).corpus_score(hypotheses, streams)
    cases.add(
        {"kind": "bleu", **option, "hypotheses": hypotheses, "references": references},
        **{
            "out.value": real(score.score),
            "out.factors": real([*score.precisions, score.bp]),
            "out.counts": torch.tensor([plain.sys_len, plain.ref_len, *plain.counts, *plain.totals]),
        },
    )


def add(cases, config, output, target, **figures):
    tensors = {"in.output": torch.from_numpy(output), "in.target": torch.from_numpy(target)}
    for name, figure in figures.items():
        whole = name == "matrix"
        tensors[f"out.{name}"] = torch.from_numpy(np.asarray(figure)) if whole else real(figure)
    cases.add(config, **tensors)


def real(value):
    return torch.as_tensor(np.asarray(value, dtype=np.float64))


def outputs(rng, shape, tied):
    """Scores, with many equal ones if they are tied."""
    x = rng.standard_normal(shape)
    return np.round(x * 2) / 2 if tied else x


def classes(rng, shape, among=None):
    """Targets for such an output, of the first so many classes, each of which is there."""
    size = shape[:1] + shape[2:]
    count = int(np.prod(size))
    among = among or shape[1]
    return rng.permutation(np.concatenate([np.arange(among), rng.integers(0, among, count)])[:count]).reshape(size)


def rows(x):
    """[batch, classes, *positions] → [batch · positions, classes]"""
    return np.moveaxis(x, 1, -1).reshape(-1, x.shape[1])


def label_rows(x):
    return x[:, None] if x.ndim == 1 else rows(x)


def softmax(x):
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)
