"""Tiny models in every published layout, each beside the library that would compute it."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch.nn.functional import avg_pool2d, batch_norm, conv2d, gelu, multi_head_attention_forward, relu
from transformers import (
    BertConfig,
    BertModel,
    CLIPConfig,
    CLIPModel,
    CLIPVisionConfig,
    CLIPVisionModel,
    ResNetConfig,
    ResNetModel,
    SiglipConfig,
    SiglipModel,
    SwinConfig,
    SwinModel,
    VisionTextDualEncoderModel,
    ViTConfig,
    ViTModel,
)

WIDTH, DEPTH, SIDE, EMBEDDING, CONTEXT = 128, 3, 64, 24, 64
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "left", "pleural", "eff", "##usion", "no", ",", "lung"]
VOCABULARY += [f"word{index}" for index in range(20)]


@dataclass
class Layout:
    """A folder, and what the library says of it: embeddings before normalisation."""

    folder: Path
    image: Callable[[torch.Tensor], torch.Tensor]
    text: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    score: str = "softmax"
    scale: float = 10.0


def randomised(module, seed):
    """Weights far from symmetric, so that a swapped key or a wrong epsilon shows; running statistics too."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if parameter.ndim == 4:  # keeps what a deep chain of convolutions hands on of order one
                fan = parameter[0].numel()
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * (2 / fan) ** 0.5)
            elif parameter.ndim > 1 or "bias" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.08 + 0.02)
            else:
                parameter.copy_(1 + torch.randn(parameter.shape, generator=generator) * 0.2)
        for name, buffer in module.named_buffers():
            if name.endswith("running_mean"):
                buffer.copy_(torch.randn(buffer.shape, generator=generator) * 0.1)
            if name.endswith("running_var"):
                buffer.copy_(torch.rand(buffer.shape, generator=generator) + 0.5)
    return module.eval()


def matrix(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 0.1


def bert(seed=2, *, add_pooling_layer=True, **changes):
    sizes = {"hidden_size": WIDTH, "num_hidden_layers": DEPTH, "num_attention_heads": WIDTH // 64}
    config = BertConfig(
        **sizes, intermediate_size=2 * WIDTH, vocab_size=len(VOCABULARY), max_position_embeddings=CONTEXT, **changes
    )
    return randomised(BertModel(config, add_pooling_layer=add_pooling_layer), seed)


def vit(*, add_pooling_layer=True, **changes):
    config = ViTConfig(
        hidden_size=WIDTH, num_hidden_layers=DEPTH, num_attention_heads=WIDTH // 64, intermediate_size=2 * WIDTH,
        image_size=SIDE, patch_size=16, **changes,
    )  # fmt: skip
    return randomised(ViTModel(config, add_pooling_layer=add_pooling_layer), 1)


def clip(act):
    tower = {"hidden_size": WIDTH, "intermediate_size": 2 * WIDTH, "num_hidden_layers": DEPTH, "num_attention_heads": 2}
    tower["hidden_act"] = act
    text = {"vocab_size": 600, "max_position_embeddings": CONTEXT, "bos_token_id": 598, "eos_token_id": 599}
    config = CLIPConfig(
        vision_config={**tower, "image_size": SIDE, "patch_size": 16},
        text_config={**tower, **text, "pad_token_id": 599},
        projection_dim=EMBEDDING,
    )
    return randomised(CLIPModel(config), 3)


def swin(side=SIDE):
    config = SwinConfig(
        image_size=side, patch_size=4, embed_dim=32, depths=[2, 2, 2], num_heads=[2, 4, 4], window_size=side // 16
    )
    return randomised(SwinModel(config), 4)


def resnet():
    config = ResNetConfig(embedding_size=8, hidden_sizes=[16, 32, 32, 64], depths=[1, 2, 1, 1])
    return randomised(ResNetModel(config), 5)


def vocabulary(folder, config=None):
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    if config is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps(config))


def features(value):
    """transformers 4 returned a tensor, 5 returns an object."""
    return getattr(value, "pooler_output", value)


def own(module):
    return {name: value.clone().contiguous() for name, value in module.state_dict().items()}


def bert_keys(module, prefix):
    return {prefix + name: value for name, value in own(module).items()}


def openai_block(source, target, state):
    """One block of Hugging Face's CLIP under OpenAI's names."""
    weights = {}
    for kind in ("weight", "bias"):
        parts = [state[f"{source}.self_attn.{part}_proj.{kind}"] for part in "qkv"]
        weights[f"{target}.attn.in_proj_{kind}"] = torch.cat(parts)
        for theirs, name in (("self_attn.out_proj", "attn.out_proj"), ("layer_norm1", "ln_1"),
                             ("layer_norm2", "ln_2"), ("mlp.fc1", "mlp.c_fc"), ("mlp.fc2", "mlp.c_proj")):  # fmt: skip
            weights[f"{target}.{name}.{kind}"] = state[f"{source}.{theirs}.{kind}"]
    return weights


def openai_vision(state):
    weights = {
        "visual.conv1.weight": state["vision_model.embeddings.patch_embedding.weight"],
        "visual.class_embedding": state["vision_model.embeddings.class_embedding"],
        "visual.positional_embedding": state["vision_model.embeddings.position_embedding.weight"],
        "visual.proj": state["visual_projection.weight"].T,
    }
    for theirs, name in (("pre_layrnorm", "ln_pre"), ("post_layernorm", "ln_post")):
        weights |= {f"visual.{name}.{kind}": state[f"vision_model.{theirs}.{kind}"] for kind in ("weight", "bias")}
    for index in range(DEPTH):
        layer = f"vision_model.encoder.layers.{index}"
        weights |= openai_block(layer, f"visual.transformer.resblocks.{index}", state)
    return weights


def openai_text(state):
    weights = {
        "token_embedding.weight": state["text_model.embeddings.token_embedding.weight"],
        "positional_embedding": state["text_model.embeddings.position_embedding.weight"],
        "text_projection": state["text_projection.weight"].T,
    }
    weights |= {f"ln_final.{kind}": state[f"text_model.final_layer_norm.{kind}"] for kind in ("weight", "bias")}
    for index in range(DEPTH):
        weights |= openai_block(f"text_model.encoder.layers.{index}", f"transformer.resblocks.{index}", state)
    return weights


def byte_tokenizer(folder, start=598, end=599):
    """A byte tokenizer as ``tokenizer.json``, with OpenAI's ends."""
    letters = {letter: index for index, letter in enumerate(pre_tokenizers.ByteLevel.alphabet())}
    letters |= {f"{letter}</w>": index + 256 for letter, index in letters.items()} | {"<s>": start, "</s>": end}
    tokenizer = Tokenizer(models.BPE(vocab=letters, merges=[], end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", start), ("</s>", end)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))


# transformers 5 renamed the ViT's keys: query, key and value; output; both layers of the MLP.
OLDER_VIT = (
    ("attention.query", "attention.key", "attention.value"),
    "attention.output.dense",
    "intermediate.dense",
    "output.dense",
)
NEWER_VIT = (("q_proj", "k_proj", "v_proj"), "attention.o_proj", "mlp.fc1", "mlp.fc2")


def timm_keys(module, trunk):
    """Hugging Face's ViT under timm's names."""
    state = own(module)
    weights = {
        f"{trunk}.cls_token": state["embeddings.cls_token"],
        f"{trunk}.pos_embed": state["embeddings.position_embeddings"],
    }
    older = "encoder.layer.0.layernorm_before.weight" in state
    inner, out, fc1, fc2 = OLDER_VIT if older else NEWER_VIT
    for kind in ("weight", "bias"):
        weights[f"{trunk}.patch_embed.proj.{kind}"] = state[f"embeddings.patch_embeddings.projection.{kind}"]
        weights[f"{trunk}.norm.{kind}"] = state[f"layernorm.{kind}"]
        for index in range(DEPTH):
            source, block = f"encoder.layer.{index}" if older else f"layers.{index}", f"{trunk}.blocks.{index}"
            parts = [state[f"{source}.attention.{part}.{kind}"] for part in inner]
            weights[f"{block}.attn.qkv.{kind}"] = torch.cat(parts)
            for name, target in ((out, "attn.proj"), (fc1, "mlp.fc1"), (fc2, "mlp.fc2"),
                                 ("layernorm_before", "norm1"), ("layernorm_after", "norm2")):  # fmt: skip
                weights[f"{block}.{target}.{kind}"] = state[f"{source}.{name}.{kind}"]
    return weights


def biomedclip(folder):
    """BiomedCLIP: timm's ViT, BERT and its buffer, open_clip's config, half of BERT's positions in use."""
    vision, text = vit(layer_norm_eps=1e-6, add_pooling_layer=False), bert(add_pooling_layer=False)
    head, first, second = matrix(27, EMBEDDING, WIDTH), matrix(28, 76, WIDTH), matrix(29, EMBEDDING, 76)
    weights = timm_keys(vision, "visual.trunk") | bert_keys(text, "text.transformer.")
    weights |= {"visual.head.proj.weight": head, "text.proj.0.weight": first, "text.proj.2.weight": second}
    weights |= {"logit_scale": torch.tensor(2.3025851)}
    weights |= {"text.transformer.embeddings.position_ids": torch.arange(CONTEXT)[None]}
    torch.save(weights, folder / "open_clip_pytorch_model.bin")
    config = {
        "model_cfg": {
            "embed_dim": EMBEDDING,
            "vision_cfg": {"timm_model_name": "vit_base_patch16_224", "timm_pool": "", "image_size": SIDE},
            "text_cfg": {
                "hf_model_name": "some/bert", "hf_proj_type": "mlp", "context_length": CONTEXT // 2,
                "hf_pooler_type": "cls_last_hidden_state_pooler",
            },
        },
        "preprocess_cfg": {"mean": [0.48, 0.46, 0.41], "std": [0.27, 0.26, 0.28]},
    }  # fmt: skip
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    vocabulary(folder)
    return Layout(
        folder,
        lambda pixels: vision(pixels).last_hidden_state[:, 0] @ head.T,
        pooled_bert(text, lambda state: gelu(state @ first.T) @ second.T),
    )


def clip_text(library):
    return lambda ids, _: features(library.get_text_features(ids))


def pooled_bert(library, projection):
    return lambda ids, mask: projection(library(ids, attention_mask=mask.int()).last_hidden_state[:, 0])


def openai(folder):
    """CheXzero: an OpenAI state dict in half precision's names, no config, quick-GELU."""
    library = clip("quick_gelu")
    state = own(library)
    weights = openai_vision(state) | openai_text(state) | {"logit_scale": torch.tensor(2.3025851)}
    weights |= {name: torch.tensor(1) for name in ("input_resolution", "context_length", "vocab_size")}
    torch.save(weights, folder / "best_64_5e-05.pt")
    byte_tokenizer(folder)
    return Layout(folder, lambda pixels: features(library.get_image_features(pixels)), clip_text(library))


def hugging_face_clip(folder):
    """PubMedCLIP: Hugging Face's own layout."""
    library = clip("quick_gelu")
    with torch.no_grad():
        library.logit_scale.fill_(2.3025851)
    library.save_pretrained(folder)
    published = {"size": {"shortest_edge": SIDE}, "crop_size": {"height": SIDE, "width": SIDE}, "resample": 3}
    published |= {"image_mean": [0.5] * 3, "image_std": [0.25] * 3, "do_center_crop": True}
    (folder / "preprocessor_config.json").write_text(json.dumps(published))
    byte_tokenizer(folder)
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))
    return Layout(folder, lambda pixels: features(library.get_image_features(pixels)), clip_text(library))


def quilt(folder):
    """QuiltNet: open_clip's config says GELU, heads and preprocessing."""
    library = clip("gelu")
    state = own(library)
    weights = openai_vision(state) | openai_text(state) | {"logit_scale": torch.tensor(2.3025851)}
    torch.save({"state_dict": {f"module.{key}": value for key, value in weights.items()}},
               folder / "open_clip_pytorch_model.bin")  # fmt: skip
    config = {
        "model_cfg": {
            "embed_dim": EMBEDDING,
            "vision_cfg": {"image_size": SIDE, "layers": DEPTH, "width": WIDTH, "patch_size": 16},
            "text_cfg": {"context_length": CONTEXT, "vocab_size": 600, "width": WIDTH, "heads": 2, "layers": DEPTH},
        },
        "preprocess_cfg": {"mean": [0.48, 0.46, 0.41], "std": [0.27, 0.26, 0.28]},
    }
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    byte_tokenizer(folder)
    return Layout(folder, lambda pixels: features(library.get_image_features(pixels)), clip_text(library))


RESNET_GOLDEN = Path(__file__).parents[1] / "data" / "openai_resnet.json"


def recipe(shapes, seed):
    """Weights by the recipe that tests/data/README.md states for ``openai_resnet.json``."""
    generator, made = torch.Generator().manual_seed(seed), {}
    for name in sorted(shapes):
        values = torch.randn(shapes[name], generator=generator)
        if name.endswith("num_batches_tracked"):
            values = torch.tensor(0)
        elif name == "logit_scale":
            values = torch.tensor(math.log(10))
        elif name.endswith("running_mean"):
            values = 0.1 * values
        elif name.endswith("running_var"):
            values = 0.5 + values.abs()
        elif values.ndim == 4:
            values = values * math.sqrt(2 / values[0].numel())
        else:
            values = 0.08 * values if values.ndim > 1 or name.endswith("bias") else 1 + 0.2 * values
        made[name] = values
    return made


def openai_resnet_forward(weights, depths, pixels):
    """OpenAI's ResNet written out from the paper's description, with torch's own attention."""

    def step(picture, place, index, **options):
        picture = conv2d(picture, weights[f"visual.{place}conv{index}.weight"], **options)
        return normed(picture, f"visual.{place}bn{index}")

    def normed(picture, name):
        kinds = ("running_mean", "running_var", "weight", "bias")
        return batch_norm(picture, *(weights[f"{name}.{kind}"] for kind in kinds))

    states = relu(step(pixels, "", 1, stride=2, padding=1))
    states = avg_pool2d(relu(step(relu(step(states, "", 2, padding=1)), "", 3, padding=1)), 2)
    for stage, depth in enumerate(depths, 1):
        for index in range(depth):
            place, stride = f"layer{stage}.{index}.", 2 if stage > 1 and index == 0 else 1
            inner = relu(step(relu(step(states, place, 1)), place, 2, padding=1))
            inner = step(avg_pool2d(inner, stride), place, 3)
            if f"visual.{place}downsample.0.weight" in weights:
                states = conv2d(avg_pool2d(states, stride), weights[f"visual.{place}downsample.0.weight"])
                states = normed(states, f"visual.{place}downsample.1")
            states = relu(inner + states)
    states = states.flatten(2).permute(2, 0, 1)
    pool = {
        name: weights[f"visual.attnpool.{name}"] for name in ("positional_embedding", "c_proj.weight", "c_proj.bias")
    }
    states = torch.cat([states.mean(0, keepdim=True), states]) + pool["positional_embedding"][:, None]
    width = states.shape[2]
    parts = {f"{part}_proj_weight": weights[f"visual.attnpool.{part}_proj.weight"] for part in "qkv"}
    biases = torch.cat([weights[f"visual.attnpool.{part}_proj.bias"] for part in "qkv"])
    pooled, _ = multi_head_attention_forward(
        states[:1], states, states, width, width // 64, None, biases, None, None, False, 0.0, pool["c_proj.weight"],
        pool["c_proj.bias"], training=False, need_weights=False, use_separate_proj_weight=True, **parts,
    )  # fmt: skip
    return pooled[0]


def openai_resnet(folder):
    """PubMedCLIP's own RN50: an OpenAI state dict beside other things, no config."""
    golden, library = json.loads(RESNET_GOLDEN.read_text()), clip("quick_gelu")
    vision = recipe(golden["shapes"], golden["weight_seed"])
    vision = {name: value for name, value in vision.items() if name.startswith("visual.")}
    weights = vision | openai_text(own(library)) | {"logit_scale": torch.tensor(2.3025851)}
    torch.save({"epoch": 3, "state_dict": weights}, folder / "PubMedCLIP_RN50.pth")
    byte_tokenizer(folder)
    depths = golden["model_cfg"]["vision_cfg"]["layers"]
    return Layout(folder, lambda pixels: openai_resnet_forward(vision, depths, pixels), clip_text(library))


def unimed(folder):
    vision, text = clip("quick_gelu"), bert()
    first, second = matrix(6, 76, WIDTH), matrix(7, EMBEDDING, 76)
    weights = openai_vision(own(vision)) | bert_keys(text, "text_encoder.transformer.")
    weights |= {"text_encoder.proj.0.weight": first, "text_encoder.proj.2.weight": second}
    weights |= {"logit_scale": torch.tensor(2.3025851)}
    torch.save({"epoch": 3, "name": "unimed", "state_dict": weights}, folder / "unimed_clip_vit_b16.pt")
    vocabulary(folder)
    return Layout(
        folder,
        lambda pixels: features(vision.get_image_features(pixels)),
        pooled_bert(text, lambda state: gelu(state @ first.T) @ second.T),
    )


def siglip(folder):
    tower = {"hidden_size": WIDTH, "intermediate_size": 2 * WIDTH, "num_hidden_layers": DEPTH, "num_attention_heads": 2}
    config = SiglipConfig(
        vision_config={**tower, "image_size": SIDE, "patch_size": 16},
        text_config={**tower, "vocab_size": 600, "max_position_embeddings": CONTEXT, "projection_size": WIDTH},
    )
    library = randomised(SiglipModel(config), 8)
    with torch.no_grad():
        library.logit_scale.fill_(2.3025851)
        library.logit_bias.fill_(-7)
    library.save_pretrained(folder)
    size = {"height": SIDE, "width": SIDE}
    published = {"size": size, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "resample": 3, "do_resize": True}
    (folder / "preprocessor_config.json").write_text(json.dumps(published))
    byte_tokenizer(folder)
    (folder / "tokenizer_config.json").write_text(json.dumps({"pad_token": "</s>"}))
    text = lambda ids, _: features(library.get_text_features(ids))  # noqa: E731
    return Layout(folder, lambda pixels: features(library.get_image_features(pixels)), text, "sigmoid")


def dual(folder, vision):
    library = VisionTextDualEncoderModel(vision_model=vision, text_model=bert())
    with torch.no_grad():
        library.visual_projection.weight.copy_(matrix(9, *library.visual_projection.weight.shape))
        library.text_projection.weight.copy_(matrix(10, *library.text_projection.weight.shape))
        library.logit_scale.fill_(2.3025851)
    library.eval().save_pretrained(folder)
    size = {"height": SIDE, "width": SIDE}
    published = {"size": size, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "do_center_crop": False}
    (folder / "preprocessor_config.json").write_text(json.dumps(published))
    vocabulary(folder, {"do_lower_case": True})
    return Layout(
        folder,
        lambda pixels: features(library.get_image_features(pixels)),
        lambda ids, mask: features(library.get_text_features(ids, attention_mask=mask.int())),
    )


def dual_vit(folder):
    return dual(folder, vit())


def dual_clip(folder):
    config = CLIPVisionConfig(
        hidden_size=WIDTH, intermediate_size=2 * WIDTH, num_hidden_layers=DEPTH, num_attention_heads=2,
        image_size=SIDE, patch_size=16,
    )  # fmt: skip
    return dual(folder, randomised(CLIPVisionModel(config), 11))


# transformers 5 renamed Swin's parts; checkpoints were published under the older names.
SWIN_NAMES = (
    (".attention.q_proj.", ".attention.self.query."),
    (".attention.k_proj.", ".attention.self.key."),
    (".attention.v_proj.", ".attention.self.value."),
    (".attention.o_proj.", ".attention.output.dense."),
    (".attention.relative_position_bias.", ".attention.self."),
    (".mlp.fc1.", ".intermediate.dense."),
    (".mlp.fc2.", ".output.dense."),
)


def swin_keys(module, prefix):
    weights = {}
    for name, value in own(module).items():
        older = name
        for new, old in SWIN_NAMES:
            older = older.replace(new, old, 1)
        weights[prefix + older] = value
    return weights


def resnet_keys(module, prefix):
    """Hugging Face's ResNet under torchvision's names."""
    names = {}
    for name, value in own(module).items():
        parts = name.split(".")
        kind = {"convolution": "conv", "normalization": "bn"}[parts[-2]]
        if parts[0] == "embedder":
            target = f"{kind}1"
        else:
            block = f"layer{int(parts[2]) + 1}.{parts[4]}"
            inner = int(parts[6]) + 1 if parts[5] == "layer" else None
            target = f"{block}.{kind}{inner}" if inner else f"{block}.downsample.{0 if kind == 'conv' else 1}"
        names[f"{prefix}{target}.{parts[-1]}"] = value
    return names


def linear(weights, name, inputs, seed, *, bias=True):
    """Add a projection to a checkpoint, and return it as a function."""
    weight, offset = matrix(seed, EMBEDDING, inputs), matrix(seed + 50, EMBEDDING)
    weights[f"{name}.weight"] = weight
    if bias:
        weights[f"{name}.bias"] = offset
    return lambda state: state @ weight.T + (offset if bias else 0)


def cxr_clip(folder, prefix, vision_keys, *, read, width, normalize_as):
    text, weights = bert(), vision_keys
    weights |= bert_keys(text, "text_encoder.text_encoder.")
    image = linear(weights, "image_projection.projection", width, 12)
    words = linear(weights, "text_projection.projection", WIDTH, 13)
    weights["logit_scale"] = torch.tensor(2.3025851)
    config = {"model": {"text_encoder": {"pooling": "eos"}}, "base": {"image_size": SIDE}, "normalize": normalize_as}
    torch.save({"model": weights, "config": config}, folder / prefix)
    vocabulary(folder)

    def last(ids, mask):
        states = text(ids, attention_mask=mask.int()).last_hidden_state
        return words(states[torch.arange(len(ids)), mask.sum(-1) - 1])

    return Layout(folder, lambda pixels: image(read(pixels)), last)


def cxr_clip_swin(folder):
    library = swin()
    keys = swin_keys(library, "image_encoder.image_encoder.")
    read = lambda pixels: library(pixels).last_hidden_state[:, 0]  # noqa: E731
    return cxr_clip(folder, "swint_mcc.tar", keys, read=read, width=128, normalize_as="huggingface")


def cxr_clip_resnet(folder):
    library = resnet()
    keys = resnet_keys(library, "image_encoder.resnet.")
    read = lambda pixels: library(pixels).pooler_output.flatten(1)  # noqa: E731
    return cxr_clip(folder, "r50_mcc.tar", keys, read=read, width=64, normalize_as="imagenet")


def medclip(folder, weights, image):
    text = bert(attn_implementation="eager")
    weights |= bert_keys(text, "text_model.model.")
    words = linear(weights, "text_model.projection_head", WIDTH, 14, bias=False)
    weights["logit_scale"] = torch.tensor(2.3025851)
    torch.save(weights, folder / "pytorch_model.bin")
    vocabulary(folder)

    def three(ids, mask):
        states = text(ids, attention_mask=mask.int(), output_hidden_states=True).hidden_states
        kept = mask[..., None].float()
        means = [(states[i] * kept).sum(1) / kept.sum(1) for i in (1, 2, -1)]
        return words(torch.stack(means).mean(0))

    return Layout(folder, image, three)


def medclip_swin(folder):
    library = swin(224)
    weights = swin_keys(library, "vision_model.model.")
    image = linear(weights, "vision_model.projection_head", 128, 15, bias=False)
    return medclip(folder, weights, lambda pixels: image(library(pixels).pooler_output))


def medclip_resnet(folder):
    library = resnet()
    weights = resnet_keys(library, "vision_model.model.")
    image = linear(weights, "vision_model.model.fc", 64, 16, bias=False)
    return medclip(folder, weights, lambda pixels: image(library(pixels).pooler_output.flatten(1)))


def biovil(folder, *, temporal=False):
    vision, text = resnet(), bert(17)
    weights = resnet_keys(vision, "encoder.encoder.") | {"encoder.encoder.fc.weight": matrix(1, 10, 64)}
    inner = 64
    if temporal:
        to_vit, prior, inner = matrix(18, 20, 64), matrix(19, 1, 20), 40
        weights |= {"encoder.backbone_to_vit.weight": to_vit[..., None, None]}
        weights |= {"encoder.missing_previous_emb": prior[..., None, None]}
        weights |= {"encoder.vit_pooler.type_embed": matrix(20, 2, 1, 20)}
    first, second, offset = matrix(21, 16, inner), matrix(22, EMBEDDING, 16), matrix(23, EMBEDDING)
    norm = randomised(torch.nn.BatchNorm2d(16), 24)
    weights |= {"projector.model.0.weight": first[..., None, None], "projector.model.3.bias": offset}
    weights |= {"projector.model.3.weight": second[..., None, None]}
    weights |= {f"projector.model.1.{name}": value for name, value in own(norm).items()}
    torch.save(weights, folder / f"biovil_{'t_' if temporal else ''}image_model_proj_size_128.pt")
    head = torch.nn.Sequential(
        torch.nn.Linear(WIDTH, EMBEDDING), torch.nn.GELU(), torch.nn.LayerNorm(EMBEDDING, eps=1e-12),
        torch.nn.Linear(EMBEDDING, EMBEDDING),
    )  # fmt: skip
    randomised(head, 25)
    words = bert_keys(text, "bert.") | {"cls.predictions.bias": matrix(26, len(VOCABULARY))}
    for index, name in ((0, "dense_to_hidden"), (2, "LayerNorm"), (3, "dense_to_output")):
        words |= {f"cls_projection_head.{name}.{kind}": value for kind, value in own(head[index]).items()}
    save_file(words, folder / "model.safetensors")
    config = {"model_type": "cxr-bert", "num_attention_heads": WIDTH // 64}
    (folder / "config.json").write_text(json.dumps(config))
    vocabulary(folder)

    def image(pixels):
        picture = vision(pixels).last_hidden_state
        if temporal:
            picture = torch.einsum("oc,bchw->bohw", to_vit, picture)
            picture = torch.cat([picture, prior[..., None, None].expand_as(picture)], dim=1)
        hidden = relu(norm(torch.einsum("oc,bchw->bohw", first, picture)))
        return (torch.einsum("oc,bchw->bohw", second, hidden) + offset[:, None, None]).mean((2, 3))

    return Layout(folder, image, pooled_bert(text, head), "cosine", 1.0)


def biovil_t(folder):
    return biovil(folder, temporal=True)


LAYOUTS = {
    "biomedclip": biomedclip, "clip": hugging_face_clip, "openai": openai, "openai-resnet": openai_resnet,
    "quilt": quilt, "unimed": unimed, "siglip": siglip, "dual-vit": dual_vit, "dual-clip": dual_clip,
    "cxr-clip-swin": cxr_clip_swin, "cxr-clip-resnet": cxr_clip_resnet, "medclip-swin": medclip_swin,
    "medclip-resnet": medclip_resnet, "biovil": biovil, "biovil-t": biovil_t,
}  # fmt: skip


@pytest.fixture(scope="session")
def resnet_golden():
    """open_clip's own values of a tiny ResNet CLIP, and its weights under ``weights``."""
    golden = json.loads(RESNET_GOLDEN.read_text())
    return golden | {"weights": recipe(golden["shapes"], golden["weight_seed"])}


@pytest.fixture(scope="session")
def layouts():
    """Makers of a tiny model by the name of its layout: ``layouts["openai"](folder)`` returns a :class:`Layout`."""
    return LAYOUTS
