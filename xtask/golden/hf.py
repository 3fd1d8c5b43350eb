"""Small BERT, ViT and GPT-2 models of Hugging Face's `transformers`, under the names that their checkpoints have."""

import torch
import transformers

from case_set import CaseSet, indices, leaf, normal

BERT = {"vocab_size": 13, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12}
BERT |= {"max_position_embeddings": 7, "type_vocab_size": 2, "layer_norm_eps": 1e-12, "pad_token_id": 0}
VIT = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 10, "layer_norm_eps": 1e-12}
VIT |= {"image_size": [4, 6], "patch_size": [2, 2], "num_channels": 3, "qkv_bias": True, "num_labels": 3}
GPT = {"vocab_size": 13, "n_positions": 6, "n_embd": 8, "n_layer": 2, "n_head": 2, "n_inner": None}
GPT |= {"layer_norm_epsilon": 1e-5, "tie_word_embeddings": True}
CASES = [
    # kind, class, base options, other options, whether padding and segments are given
    ("bert", "BertModel", BERT, {"hidden_act": "gelu"}, True),
    ("bert_masked_lm", "BertForMaskedLM", BERT, {"hidden_act": "gelu"}, True),
    ("bert_masked_lm", "BertForMaskedLM", BERT, {"hidden_act": "relu", "pad_token_id": None}, False),
    ("bert_sequence_classification", "BertForSequenceClassification", BERT, {"hidden_act": "gelu", "num_labels": 3}, True),
    ("vit", "ViTModel", VIT, {"hidden_act": "gelu"}, False),
    ("vit_classification", "ViTForImageClassification", VIT, {"hidden_act": "gelu"}, False),
    ("vit_classification", "ViTForImageClassification", VIT, {"hidden_act": "relu", "image_size": [5, 5], "qkv_bias": False}, False),
    ("gpt2", "GPT2LMHeadModel", GPT, {"activation_function": "gelu_new"}, False),
    ("gpt2", "GPT2LMHeadModel", GPT, {"activation_function": "gelu", "n_inner": 5, "tie_word_embeddings": False}, False),
]
CONFIGS = {"b": transformers.BertConfig, "v": transformers.ViTConfig, "g": transformers.GPT2Config}
# What ViT's module calls a tensor, and what a checkpoint does.
VIT_NAMES = [
    ("attention.q_proj", "attention.attention.query"),
    ("attention.k_proj", "attention.attention.key"),
    ("attention.v_proj", "attention.attention.value"),
    ("attention.o_proj", "attention.output.dense"),
    ("mlp.fc1", "intermediate.dense"),
    ("mlp.fc2", "output.dense"),
]


def checkpoint_name(kind, name):
    if not kind.startswith("vit"):
        return name
    for module, checkpoint in VIT_NAMES:
        name = name.replace(module, checkpoint)
    return name.replace("layers.", "encoder.layer.")


def case(cases, kind, class_name, base, other, is_padded):
    rng = cases.generator()
    config = {"kind": kind} | base | other
    # Not the eager implementation: ViT's computes its softmax in f32.
    options = CONFIGS[kind[0]](**(base | other))
    options._attn_implementation = "sdpa"
    model = getattr(transformers, class_name)(options).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.5 * normal(rng, *parameter.shape))
    if kind.startswith("vit"):
        inputs = {"pixel_values": leaf(normal(rng, 2, 3, *config["image_size"]))}
    else:
        length = 5
        inputs = {"input_ids": indices(rng, 13, 3, length)}
        if is_padded:
            inputs["token_type_ids"] = indices(rng, 2, 3, length)
            inputs["attention_mask"] = (torch.arange(length) < torch.tensor([[5], [2], [4]])).long()

    def run(t):
        out = model(**t)
        if "logits" in out:
            return out.logits
        return [out.last_hidden_state, out.pooler_output]

    index = len(cases.configs)
    cases.run(config, run, inputs, rng=rng)
    for name, parameter in model.named_parameters():
        name = checkpoint_name(kind, name)
        cases.tensors[f"{index}/param.{name}"] = parameter.detach().clone()
        cases.tensors[f"{index}/grad.param.{name}"] = parameter.grad.clone()


def generate():
    cases = CaseSet("hf")
    for row in CASES:
        case(cases, *row)
    return cases
