from __future__ import annotations

import numpy as np
import pytest
import torch
from serving import png
from transformers import (
    SamConfig,
    SamImageProcessorPil,
    SamMaskDecoderConfig,
    SamModel,
    SamProcessor,
    SamPromptEncoderConfig,
    SamVisionConfig,
)

from dragkit import loading
from dragkit.studio.desk import Desk, Settings
from dragkit.studio.segment import Segmenter


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A random Segment Anything in miniature."""
    vision = SamVisionConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=64, output_channels=8, window_size=2,
        global_attn_indexes=[0], mlp_dim=16, num_pos_feats=4,
    )  # fmt: skip
    prompt = SamPromptEncoderConfig(hidden_size=8, image_size=64, mask_input_channels=4)
    decoder = SamMaskDecoderConfig(
        hidden_size=8, mlp_dim=16, num_hidden_layers=1, num_attention_heads=2, attention_downsample_rate=1,
        iou_head_hidden_dim=8,
    )  # fmt: skip
    config = SamConfig(vision_config=vision, prompt_encoder_config=prompt, mask_decoder_config=decoder)
    sizes = {"size": {"longest_edge": 64}, "pad_size": {"height": 64, "width": 64}}
    small = {"mask_size": {"longest_edge": 16}, "mask_pad_size": {"height": 16, "width": 16}}
    made = tmp_path_factory.mktemp("sam")
    with torch.random.fork_rng(devices=[]), loading.quiet():
        torch.manual_seed(0)
        SamModel(config).save_pretrained(made)
        SamProcessor(SamImageProcessorPil(**sizes, **small)).save_pretrained(made)
    return made


def test_a_click_and_a_box_give_masks_of_the_pictures_size(folder, picture):
    segment = Segmenter.load(str(folder))
    for where in (((20.0, 24.0), None), (None, (8.0, 12.0, 32.0, 36.0))):
        found = segment(picture, *where)
        assert found.shape == picture.shape[:2]
        assert found.dtype == np.bool_
        assert np.array_equal(found, segment(picture, *where))


def test_the_desk_picks_by_it(folder, picture):
    desk = Desk(Settings(segment=str(folder)))
    name = desk.shelve(png(picture))
    assert desk.pick(name, (20, 24), None).shape == (48, 64)
    desk.line.close()


def test_what_is_no_segment_anything_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no Segment Anything"):
        Segmenter.load(str(tmp_path))
