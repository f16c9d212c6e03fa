"""A random CLIP in float64, as our towers and as the library's module, with one image and one prompt for both sides."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch
from transformers import CLIPModel

from medaudit.attribution.method import Noise
from medaudit.attribution.sides import sides
from medaudit.imaging.preprocess import ModelInput
from medaudit.models import hf_clip
from medaudit.models.interface import VisionLanguageModel
from medaudit.models.weights import quiet_transformers
from medaudit.records import AxisMap, GridMap, Prompt, PromptKind

PROMPTS = tuple(Prompt(f"radiograph {name}", PromptKind.CONTROL) for name in ("of fluid", "of air", "with a nodule"))


def picture_for(model, dtype, seed=3):
    height, width = model.preprocessing.input_size
    pixels = torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(seed)).to(dtype)
    whole = (-0.5, height - 0.5, -0.5, width - 0.5)
    size = (height, width)
    return ModelInput(pixels, GridMap(size, size, model.grid, AxisMap(1, 0), AxisMap(1, 0), whole))


@contextmanager
def doubles():
    """transformers 4 makes its causal mask in the default dtype, which float64's least number overflows."""
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


class Library:
    """The library's CLIP, run plainly, with states replaced by a hook.

    Only "eager" attention shows its weights; the library takes their softmax in float32, so they are good to 1e-6.
    """

    def __init__(self, folder, attention):
        with quiet_transformers():
            self.clip = CLIPModel.from_pretrained(folder, local_files_only=True, attn_implementation=attention)
        self.clip = self.clip.double().eval().requires_grad_(False)
        if attention == "eager":  # transformers 4 hands weights out of a layer only if told so here
            for tower in (self.clip.vision_model, self.clip.text_model):
                tower.config.output_attentions = True

    def layers(self, *, image):
        return (self.clip.vision_model if image else self.clip.text_model).encoder.layers

    def embed(self, inputs, *, image, block=None, states=None, **options):
        """Normalised embedding (B, E); with ``states`` in the place of those that enter ``block``."""

        def swap(_module, args, kwargs):
            return ((states, *args[1:]), kwargs) if args else (args, {**kwargs, "hidden_states": states})

        hook = None
        if states is not None:
            hook = self.layers(image=image)[block].register_forward_pre_hook(swap, with_kwargs=True)
            inputs = inputs.expand(len(states), *inputs.shape[1:])
        try:
            with doubles():
                features = self.clip.get_image_features if image else self.clip.get_text_features
                found = features(inputs, **options)
        finally:
            if hook is not None:
                hook.remove()
        found = getattr(found, "pooler_output", found)
        return found / found.norm(dim=-1, keepdim=True)

    def states(self, inputs, *, image):
        """States before every block, and behind the last."""
        tower = self.clip.vision_model if image else self.clip.text_model
        with doubles():
            return tower(inputs, output_hidden_states=True).hidden_states

    def weights(self, inputs, *, image):
        """Attention weights of every block."""
        tower = self.clip.vision_model if image else self.clip.text_model
        with doubles():
            return tower(inputs, output_attentions=True).attentions


@pytest.fixture(scope="module")
def model64(random_clip):
    loaded = hf_clip.load(random_clip, torch.device("cpu"))
    vision, text = hf_clip.towers(hf_clip.load_weights(random_clip).double())
    return VisionLanguageModel(vision, text, loaded.tokenize, loaded.preprocessing, loaded.card, torch.device("cpu"))


@pytest.fixture(scope="module")
def plain(random_clip, model64):
    """Both sides in float64, and what is needed to compute the same without medaudit."""
    library, eager = Library(random_clip, "sdpa"), Library(random_clip, "eager")
    image, prompt = picture_for(model64, torch.float64), PROMPTS[2]
    read = model64.tokenize(prompt.text)

    def fresh(noise=Noise(seed=5, image="1.2.3#0")):  # noqa: B008 - a frozen value
        seen, (written,) = sides(model64, image, [prompt], [read], noise)
        return seen, written

    with torch.no_grad():
        seen, written = library.embed(image.pixels, image=True)[0], library.embed(read.ids, image=False)[0]
    return SimpleNamespace(
        library=library,
        eager=eager,
        model=model64,
        image=image,
        prompt=prompt,
        read=read,
        pixels=image.pixels,
        ids=read.ids,
        seen=seen,
        written=written,
        sides=fresh,
        inputs=lambda is_image: image.pixels if is_image else read.ids,
        target=lambda is_image: written if is_image else seen,
    )


@pytest.fixture(scope="module")
def model32(random_clip):
    return hf_clip.load(random_clip, torch.device("cpu"))


@pytest.fixture(scope="module")
def picture32(model32):
    return picture_for(model32, torch.float32)


def patch_sums(plane, model):
    """(N,) sums of a (H, W) plane over patches, looped; nothing for the prefix."""
    grid = model.grid
    side = plane.shape[0] // grid.rows
    sums = [0.0] * grid.prefix
    for row in range(grid.rows):
        for column in range(grid.columns):
            part = plane[row * side : (row + 1) * side, column * side : (column + 1) * side]
            sums.append(float(part.sum()))
    return torch.tensor(sums, dtype=torch.float64)


@pytest.fixture(scope="session")
def sum_patches():
    return patch_sums
