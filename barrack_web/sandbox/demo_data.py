"""The account of the demo: a machine-learning team's machines in every state, and the snapshots it keeps.

Ids, names and sizes never change; ages are hours before the start. Resources between two states stay there, so that
each state can be looked at.
"""

from decimal import Decimal
from typing import Any, NamedTuple

# About four days of what the demo's machines, snapshots and volumes use up.
DEMO_BALANCES = {"USD": Decimal("2182.40"), "EUR": Decimal("2014.70"), "INR": Decimal("193860.00")}

NO_STOCK = (("NORWAY-1", "A100-SXM4-80GB-NVLink"), ("US-1", "H100-SXM5-80GB"), ("CANADA-1", "B300-262GB"))
# So much that the stock only says "200+".
LARGE_STOCK = {("CANADA-1", "RTX-A6000"): 396}

_UBUNTU = "Ubuntu Server 22.04 LTS R550 CUDA 12.4"
_DEBIAN = "Debian 12 Bookworm R550 CUDA 12.4"
_ROCKY = "Rocky Linux 9 R550 CUDA 12.4"
# Without it, a machine has the key of the team, and every other one that of the CI too.
_ANNA = ("anna-yubikey",)


class DemoInstance(NamedTuple):
    """A machine of the demo. It ran at the full rate for `ran_hours` before it came to its present status."""

    id: str
    name: str
    status: str
    region: str
    gpu: str
    gpus: int
    age_hours: int
    public: bool = True
    ran_hours: int = 0
    image: str = _UBUNTU
    keys: tuple[str, ...] = ()


class DemoSnapshot(NamedTuple):
    """A snapshot of the demo; size in GB. `has_hardware` false leaves its vCPU, RAM and disk unknown."""

    id: str
    name: str
    region: str
    size: int | None
    gpu: str
    gpus: int
    vm_id: str | None
    vm_name: str | None
    age_hours: int
    status: str = "SUCCESS"
    description: str | None = ""
    has_hardware: bool = True


INSTANCES = (
    DemoInstance("BRK-123456D", "ml-training-server", "ACTIVE", "CANADA-1", "H100-PCIe-80GB", 2, 412),
    DemoInstance("BRK-123471D", "llama-ft-70b", "ACTIVE", "NORWAY-1", "H100-SXM5-80GB", 2, 63),
    DemoInstance("BRK-123489D", "rag-index-builder", "ACTIVE", "CANADA-1", "L40", 1, 190, public=False, image=_DEBIAN),
    DemoInstance("BRK-123502D", "eval-harness", "ACTIVE", "CANADA-1", "RTX-A6000", 1, 27),
    DemoInstance("BRK-123517D", "whisper-batch", "ACTIVE", "US-1", "A100-PCIe-80GB", 1, 98, image=_ROCKY),
    DemoInstance("BRK-123533D", "notebook-anna", "SHUTOFF", "NORWAY-1", "A40", 1, 301, keys=_ANNA),
    DemoInstance(
        "BRK-123548D",
        "diffusion-lab",
        "HIBERNATED",
        "CANADA-1",
        "A100-SXM4-80GB-NVLink",
        2,
        520,
        ran_hours=190,
        keys=_ANNA,
    ),
    DemoInstance("BRK-123560D", "old-benchmark", "DELETED", "US-1", "RTX-A6000", 1, 1460, public=False, ran_hours=170),
    DemoInstance("BRK-123574D", "vision-pretrain", "CREATING", "CANADA-1", "H100-PCIe-NVLink-80GB", 4, 0),
    DemoInstance("BRK-123591D", "tts-voices", "BUILD", "US-1", "L40", 1, 0),
    DemoInstance("BRK-123605D", "search-reranker", "STARTING", "NORWAY-1", "A100-PCIe-80GB", 1, 75, image=_DEBIAN),
    DemoInstance(
        "BRK-123622D", "nightly-eval", "STOPPING", "CANADA-1", "RTX-A6000", 2, 143, image="ci-runner-template"
    ),
    DemoInstance("BRK-123638D", "protein-fold", "HIBERNATING", "US-1", "A100-SXM4-80GB-NVLink", 4, 88),
    DemoInstance("BRK-123653D", "speech-align", "RESTORING", "CANADA-1", "A40", 1, 260),
    DemoInstance("BRK-123669D", "inference-gateway", "REBOOTING", "NORWAY-1", "L40", 2, 611),
    DemoInstance("BRK-123684D", "scratch-temp", "DELETING", "CANADA-1", "RTX-A6000", 1, 9),
    DemoInstance("BRK-123700D", "quant-sweep", "ERROR", "US-1", "H100-PCIe-80GB", 1, 36),
    DemoInstance("BRK-123715D", "storage-recovery", "RESCUE", "NORWAY-1", "A40", 1, 15, public=False),
)

_RUNBOOK = """Taken before the move to CUDA 12.4, with the evaluation suite green on all 42 tasks.

What is on the disk: /data/corpus holds the cleaned 2024 crawl (no raw pages), /data/checkpoints the steps 10,000 to \
48,000 in safetensors, /opt/envs two conda environments, "train" and "eval".

How to use it: restore, run `sudo systemctl start trainer@resume`, and watch the first 200 steps. The loss should \
go on at about 1.83; if it starts above 2.1 the optimizer state was not found.

Ask in #ml-platform before deleting. Two papers cite numbers from this state."""

SNAPSHOTS = (
    DemoSnapshot("BRK-123456S", "prod-backup-dec11", "CANADA-1", 250, "H100-PCIe-80GB", 2,
                 "BRK-123456D", "ml-training-server", 96, description="Weekly backup of the production trainer."),
    DemoSnapshot("BRK-123463S", "ml-training-server-before-cuda-12.4", "CANADA-1", 400, "H100-PCIe-80GB", 2,
                 "BRK-123456D", "ml-training-server", 310, description=_RUNBOOK),
    DemoSnapshot("BRK-123478S", "rag-index-2025-week-03", "CANADA-1", 120, "L40", 1,
                 "BRK-123489D", "rag-index-builder", 52, status="available"),
    DemoSnapshot("BRK-123485S", "rag-index-2025-week-02", "CANADA-1", 110, "L40", 1,
                 "BRK-123489D", "rag-index-builder", 180, status="available"),
    DemoSnapshot("BRK-123490S", "eval-harness-golden", "CANADA-1", 100, "RTX-A6000", 1,
                 "BRK-123502D", "eval-harness", 20, description="Source of the team's base image."),
    DemoSnapshot("BRK-123507S", "llama-ft-70b-instruct-v3-epoch-2-step-48000-final_", "NORWAY-1", 1800,
                 "H100-SXM5-80GB", 2, "BRK-123471D", "llama-ft-70b", 8,
                 description="Best checkpoint of the third run."),
    DemoSnapshot("BRK-123514S", "whisper-batch-base", "US-1", 80, "A100-PCIe-80GB", 1,
                 "BRK-123517D", "whisper-batch", 70),
    DemoSnapshot("BRK-123529S", "diffusion-lab-lora-set", "CANADA-1", 350, "A100-SXM4-80GB-NVLink", 2,
                 "BRK-123548D", "diffusion-lab", 440, description="LoRA weights of the autumn campaign."),
    DemoSnapshot("BRK-123536S", "nightly-eval-in-progress", "CANADA-1", 200, "RTX-A6000", 2,
                 "BRK-123622D", "nightly-eval", 0, status="CREATING"),
    DemoSnapshot("BRK-123541S", "quant-sweep-failed", "US-1", 60, "H100-PCIe-80GB", 1,
                 "BRK-123700D", "quant-sweep", 30, status="ERROR", description="The disk was full while it was taken."),
    DemoSnapshot("BRK-123558S", "storage-recovery-check", "NORWAY-1", 150, "A40", 1,
                 "BRK-123715D", "storage-recovery", 14, status="VERIFYING"),
    DemoSnapshot("BRK-123562S", "imported-from-lab", "NORWAY-1", None, "A40", 1,
                 None, None, 700, description="Size is not reported for imports."),
    DemoSnapshot("BRK-123577S", "retired-tokenizer-box", "CANADA-1", 20, "RTX-A6000", 1,
                 "BRK-110042D", "tokenizer-box", 1900, description="The machine was deleted after the project ended."),
    DemoSnapshot("BRK-123586S", "old-benchmark-archive", "US-1", 90, "RTX-A6000", 1,
                 "BRK-110077D", "old-benchmark-1", 1500),
    DemoSnapshot("BRK-123599S", "legacy-web-crawler", "CANADA-1", 640, "A40", 1,
                 "BRK-110103D", "web-crawler", 1200, has_hardware=False),
    DemoSnapshot("BRK-123603S", "protein-fold-weights-2025.01", "NORWAY-1", 500, "A100-SXM4-80GB-NVLink", 4,
                 "BRK-110120D", "protein-fold-eu", 130, description="Needs four A100 SXM4 to run."),
    DemoSnapshot("BRK-123618S", "vllm-serving-h100-base", "US-1", 100, "H100-SXM5-80GB", 1,
                 "BRK-110131D", "vllm-serving", 260),
    DemoSnapshot("BRK-123624S", "speech-align-data", "CANADA-1", 300, "A40", 1,
                 "BRK-123653D", "speech-align", 210),
    DemoSnapshot("BRK-123637S", "inference-gateway-stable", "NORWAY-1", 70, "L40", 2,
                 "BRK-123669D", "inference-gateway", 330, description="Known good. Roll back to this one."),
    DemoSnapshot("BRK-123645S", "notebook-anna-thesis", "NORWAY-1", 45, "A40", 1,
                 "BRK-123533D", "notebook-anna", 290),
    DemoSnapshot("BRK-123652S", "search-reranker-v2", "NORWAY-1", 130, "A100-PCIe-80GB", 1,
                 "BRK-123605D", "search-reranker", 60, status="available"),
    DemoSnapshot("BRK-123668S", "vision-dataset-curated_2024.Q4 with labels", "CANADA-1", 900,
                 "H100-PCIe-NVLink-80GB", 1, "BRK-110150D", "vision-data", 500,
                 description="Labels reviewed twice; see the data card."),
    DemoSnapshot("BRK-123679S", "ci-runner-template", "CANADA-1", 40, "RTX-A6000", 1,
                 "BRK-110166D", "ci-runner", 840),
)  # fmt: skip

# Each with the hours that it existed for: only its bill and an image of it are left.
DELETED_SNAPSHOTS = (
    (
        DemoSnapshot("BRK-123412S", "tokenizer-box-weekly", "CANADA-1", 60, "RTX-A6000", 1,
                     "BRK-110042D", "tokenizer-box", 2100, description="Replaced by the one that was kept."),
        950,
    ),
)  # fmt: skip

# Each with its age in hours. One id is text: the cloud promises either.
IMAGES: tuple[tuple[dict[str, Any], int], ...] = (
    (
        {"image_id": 501, "name": "golden-cuda", "description": "CUDA 12.4, PyTorch 2.5, the team's tools.",
         "region": "CANADA-1", "size_gb": 100, "status": "SUCCESS", "snapshot_id": "BRK-123490S"},
        19,
    ),
    (
        {"image_id": 502, "name": "ci-runner-template", "description": None,
         "region": "CANADA-1", "size_gb": 40, "status": "Available", "snapshot_id": "BRK-123679S"},
        838,
    ),
    (
        {"image_id": "img-503", "name": "inference-gateway", "description": "",
         "region": "NORWAY-1", "size_gb": 70, "status": "SUCCESS", "snapshot_id": "BRK-123637S"},
        328,
    ),
    (
        {"image_id": 504, "name": "vllm-serving-h100", "description": "Serving image, still being made.",
         "region": "US-1", "size_gb": 100, "status": "Creating", "snapshot_id": "BRK-123618S"},
        0,
    ),
    (
        {"image_id": 505, "name": "tokenizer", "description": "Its snapshot was deleted.",
         "region": "CANADA-1", "size_gb": 60, "status": "SUCCESS", "snapshot_id": "BRK-123412S"},
        2000,
    ),
    (
        {"image_id": 506, "name": "ci-runner-next", "description": None,
         "region": "CANADA-1", "size_gb": 40, "status": "ERROR", "snapshot_id": "BRK-123679S"},
        12,
    ),
)  # fmt: skip
