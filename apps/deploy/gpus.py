"""What the documentation says of the GPU models it names; any other model of the API is offered without such words."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class GpuWords:
    """`text` says what it is, `best` what for; `nvlink` when several of them come connected by NVLink."""

    text: str
    best: str
    nvlink: bool = False


# source: user documentation; which of them have NVLink, by their names and that of SXM.
GPU_WORDS: Final[dict[str, GpuWords]] = {
    "H100-SXM5-80GB": GpuWords(
        "Highest performance for large-scale AI training", "LLMs, complex AI research", nvlink=True
    ),
    "H100-PCIe-NVLink-80GB": GpuWords(
        "High-performance with NVLink", "multi-GPU workloads, distributed training", nvlink=True
    ),
    "H100-PCIe-80GB": GpuWords("High-performance PCIe interface", "single-GPU inference, model training"),
    "A100-SXM4-80GB-NVLink": GpuWords(
        "Excellent for deep learning and HPC", "deep learning, scientific computing", nvlink=True
    ),
    "A100-PCIe-80GB": GpuWords("High-performance PCIe A100", "ML training, data analytics"),
    "L40": GpuWords("Balanced performance for diverse workloads", "AI inference, graphics"),
    "RTX-A6000": GpuWords("Cost-effective for smaller workloads", "development, small-scale training"),
    "A40": GpuWords("Versatile professional GPU", "professional graphics, AI development"),
}
NVLINK_SAID: Final = "Multi-GPU setups automatically include NVLink for supported GPU types"
ORDER: Final = {model: place for place, model in enumerate(GPU_WORDS)}


def in_order(models: set[str]) -> list[str]:
    """Return the documented models in their order, then the others by name."""
    return sorted(models, key=lambda model: (ORDER.get(model, len(ORDER)), model.casefold()))
