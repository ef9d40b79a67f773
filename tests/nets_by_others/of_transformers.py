"""Nets of Hugging Face's transformers."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, cast

import torch
from torch import Tensor, nn

from .net import Net, pictures, squared, tokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from .net import Batch


def net(name: str, kind: str, batch: Callable[[], Batch], config: str, **sizes: Any) -> Net:
    """A net made from its configuration, with its own loss if it has one."""

    def make() -> nn.Module:
        transformers = import_module("transformers")
        return cast(nn.Module, getattr(transformers, name)(configuration(config, sizes)).train())

    def loss(net: nn.Module) -> Tensor:
        output = net(**batch())
        return squared(output) if getattr(output, "loss", None) is None else cast(Tensor, output.loss)

    return Net(name, "transformers", kind, make, loss)


def configuration(name: str, sizes: dict[str, Any]) -> Any:
    """A configuration, whose parts may be configurations as well: pairs of a name and sizes."""
    made = {key: configuration(*value) if _is_configuration(value) else value for key, value in sizes.items()}
    return getattr(import_module("transformers"), name)(**made)


def _is_configuration(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], dict)


def classified() -> Batch:
    """Pictures and the class of each."""
    return {"pixel_values": pictures(), "labels": torch.randint(2, (4,))}


def continued() -> Batch:
    """Tokens that are to be told from those before them."""
    ids = tokens()
    return {"input_ids": ids, "labels": ids}


def heard() -> Batch:
    """Sound and the tokens spoken in it."""
    return {"input_values": torch.randn(2, 1200), "labels": tokens(length=3, most=32)}


def transcribed() -> Batch:
    """A spectrogram and the tokens spoken in it."""
    return {"input_features": torch.randn(2, 16, 40), "labels": tokens()}


def paired() -> Batch:
    """Texts and the picture of each."""
    return {"input_ids": tokens(batch=4), "pixel_values": pictures(), "return_loss": True}


def with_boxes() -> Batch:
    """Pictures and what is where in them."""
    found = [{"class_labels": torch.randint(3, (2,)), "boxes": torch.rand(2, 4) / 2 + 0.1} for _ in range(2)]
    return {"pixel_values": pictures(2, 64), "labels": found}


def painted() -> Batch:
    """Pictures and the class of each of their pixels."""
    return {"pixel_values": pictures(2), "labels": torch.randint(2, (2, 32, 32))}


def listened() -> Batch:
    """Sound that is to be given back."""
    return {"input_values": torch.randn(2, 1, 640)}


def foreseen() -> Batch:
    """Series of numbers and how they went on."""
    return {"past_values": torch.randn(4, 32, 2), "future_values": torch.randn(4, 8, 2)}


SMALL: Final = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
TEXT: Final = {**SMALL, "vocab_size": 64, "max_position_embeddings": 32}
LLAMA: Final = {**TEXT, "num_key_value_heads": 1}
EXPERTS: Final = {**LLAMA, "output_router_logits": True, "router_aux_loss_coef": 0.01}
PICTURE: Final = {**SMALL, "image_size": 32, "patch_size": 8}
STAGES: Final = {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [2, 1]}
T5: Final = {"vocab_size": 64, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2}
WHISPER: Final = {
    "vocab_size": 64, "num_mel_bins": 16, "d_model": 16, "encoder_layers": 1, "decoder_layers": 1,
    "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32,
    "max_source_positions": 20, "max_target_positions": 32, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
    "decoder_start_token_id": 3, "begin_suppress_tokens": None, "suppress_tokens": None,
}  # fmt: skip
WAV2VEC: Final = {
    **SMALL, "vocab_size": 32, "conv_dim": [16, 16], "conv_stride": [5, 4], "conv_kernel": [10, 8],
    "num_feat_extract_layers": 2, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2,
    "mask_time_prob": 0.2, "mask_time_length": 4, "ctc_zero_infinity": True,
}  # fmt: skip
DETR: Final = {
    "use_timm_backbone": False, "backbone": None, "use_pretrained_backbone": False,
    "backbone_config": ("ResNetConfig", {**STAGES, "out_features": ["stage2"]}), "num_queries": 5, "num_labels": 3,
    "d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32,
}  # fmt: skip

NETS: Final = (
    net("ConvNextForImageClassification", "convolutional", classified, "ConvNextConfig",
        hidden_sizes=[8, 16], depths=[1, 1], num_stages=2, drop_path_rate=0.1),
    net("MobileNetV2ForImageClassification", "convolutional", classified, "MobileNetV2Config",
        depth_multiplier=0.1, min_depth=8, image_size=32),
    net("EfficientNetForImageClassification", "convolutional", classified, "EfficientNetConfig",
        width_coefficient=0.25, depth_coefficient=0.25, image_size=32, hidden_dim=320),
    net("ResNetForImageClassification", "residual", classified, "ResNetConfig", **STAGES),
    net("RegNetForImageClassification", "residual", classified, "RegNetConfig", **STAGES, groups_width=4),
    net("ViTForImageClassification", "attention", classified, "ViTConfig", **PICTURE),
    net("SwinForImageClassification", "attention", classified, "SwinConfig",
        image_size=32, patch_size=4, embed_dim=8, depths=[1, 1], num_heads=[2, 2], window_size=4),
    net("SegformerForSemanticSegmentation", "attention", painted, "SegformerConfig", num_encoder_blocks=2,
        depths=[1, 1], sr_ratios=[2, 1], hidden_sizes=[8, 16], num_attention_heads=[1, 2], patch_sizes=[7, 3],
        strides=[4, 2], mlp_ratios=[2, 2], decoder_hidden_size=16),
    net("DetrForObjectDetection", "attention", with_boxes, "DetrConfig", **DETR),
    net("BertForMaskedLM", "attention", continued, "BertConfig", **TEXT),
    net("GPT2LMHeadModel", "attention", continued, "GPT2Config",
        vocab_size=64, n_positions=32, n_embd=16, n_layer=2, n_head=2, bos_token_id=1, eos_token_id=2),
    net("LlamaForCausalLM", "attention", continued, "LlamaConfig", **LLAMA),
    net("T5ForConditionalGeneration", "attention", continued, "T5Config", **T5, decoder_start_token_id=0),
    net("WhisperForConditionalGeneration", "attention", transcribed, "WhisperConfig", **WHISPER),
    net("Wav2Vec2ForCTC", "attention", heard, "Wav2Vec2Config", **WAV2VEC),
    net("CLIPModel", "attention", paired, "CLIPConfig", projection_dim=16,
        text_config={**TEXT, "bos_token_id": 1, "eos_token_id": 2}, vision_config=PICTURE),
    net("PatchTSTForPrediction", "attention", foreseen, "PatchTSTConfig", num_input_channels=2, context_length=32,
        prediction_length=8, patch_length=8, patch_stride=8, d_model=16, num_hidden_layers=2, num_attention_heads=2,
        ffn_dim=32),
    net("EncodecModel", "recurrent", listened, "EncodecConfig", num_filters=4, hidden_size=8, codebook_size=16,
        codebook_dim=8, upsampling_ratios=[4, 2], num_lstm_layers=1),
    net("MambaForCausalLM", "recurrent", continued, "MambaConfig", vocab_size=64, hidden_size=16, state_size=4,
        num_hidden_layers=2),
    net("RwkvForCausalLM", "recurrent", continued, "RwkvConfig", vocab_size=64, hidden_size=16, num_hidden_layers=2,
        attention_hidden_size=16, context_length=32),
    net("MixtralForCausalLM", "mixture of experts", continued, "MixtralConfig", **EXPERTS, num_local_experts=4),
    net("Qwen2MoeForCausalLM", "mixture of experts", continued, "Qwen2MoeConfig", **EXPERTS, num_experts=4,
        num_experts_per_tok=2, moe_intermediate_size=16, shared_expert_intermediate_size=16),
    net("SwitchTransformersForConditionalGeneration", "mixture of experts", continued, "SwitchTransformersConfig",
        **T5, num_experts=4, num_sparse_encoder_layers=1, num_sparse_decoder_layers=1, decoder_start_token_id=0),
)  # fmt: skip
