"""What the scripted assistant of the simulated cloud says: the same question always gets the same answer."""

import re
from collections.abc import Sequence

# The first subject of which a word begins a word of the question, in whatever case.
_SUBJECTS: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("idle", "unused", "waste", "save money", "cheaper"),
        (
            "Look for machines that are billed and do nothing. A stopped (SHUTOFF) machine keeps its GPUs and costs "
            "the full rate; hibernate it instead, and it costs about a cent per hour.\n\n"
            "1. On the machine, run `nvidia-smi --query-gpu=utilization.gpu --format=csv -l 60` for an hour.\n"
            "2. If it stays near 0 %, take a snapshot and hibernate the machine.\n"
            "3. Restore it when you need it; a restore needs free GPUs of the same model in the region."
        ),
    ),
    (
        ("snapshot", "backup", "restore"),
        (
            "A snapshot keeps the root disk of an ACTIVE machine; you can restore it into a new machine in the same "
            "region. Before you take it, let your jobs write their checkpoints and run `sync`.\n\n"
            "A snapshot costs by its size for as long as it exists, so delete those that nobody restores."
        ),
    ),
    (
        ("hibernat", "stop", "shutoff"),
        (
            "Stopping keeps the GPUs reserved and the bill running at the full rate. Hibernating gives the GPUs back "
            "and keeps the root disk for about a cent per hour. Save your work first: memory and the other local disks "
            "may be lost."
        ),
    ),
    (
        ("ssh", "connect", "login", "permission denied", "key"),
        (
            "Connect with `ssh -i your-key.pem ubuntu@PUBLIC-IP`; on images other than Ubuntu the user is often "
            "`root`.\n\n"
            "If that fails, check in this order:\n"
            "- the machine is ACTIVE and has a public address,\n"
            "- a firewall or security rule lets TCP port 22 in from your address,\n"
            "- the key file is readable by you alone (`chmod 600 your-key.pem`),\n"
            "- the key is one of those that the machine was deployed with."
        ),
    ),
    (
        ("firewall", "port", "rule", "jupyter"),
        (
            "Open only what you need, and only to the addresses that need it. Jupyter listens on port 8888 without "
            "encryption: leave that port closed and use a tunnel, `ssh -L 8888:localhost:8888 ubuntu@PUBLIC-IP`."
        ),
    ),
    (
        ("volume", "disk", "storage", "mount"),
        (
            "Attach the volume to an ACTIVE machine of the same region, then on the machine:\n\n"
            "```\nlsblk\nsudo mkfs.ext4 /dev/vdb   # once, it erases the volume\nsudo mkdir -p /data\n"
            "sudo mount /dev/vdb /data\n```\n\nUnmount it with `sudo umount /data` before you detach it."
        ),
    ),
    (
        ("price", "cost", "bill", "credit", "balance"),
        (
            "Machines are billed by the minute at the price of their GPUs, volumes and snapshots by their size. The "
            "Usage and billing page shows what each has cost; the balance at the top of the page shows what is left."
        ),
    ),
    (
        ("gpu", "h100", "a100", "cuda", "model", "memory"),
        (
            "As a rule of thumb, a model needs two bytes of GPU memory per parameter for inference in 16 bits, and "
            "about eight times that for full training. A 70B model fits on two 80 GB GPUs for inference; start with a "
            "smaller machine for everything that is not training."
        ),
    ),
    (
        ("hello", "hi there", "thanks", "thank you"),
        "Hello! Ask me about your machines, snapshots, volumes, firewalls, SSH keys or costs.",
    ),
)
_DEFAULT = (
    "I am a scripted assistant and know only the basics of this cloud: machines and idle GPUs, snapshots, "
    "hibernation, SSH, firewalls, volumes and costs. Ask me about one of these."
)


def answer_to(question: str) -> str:
    """Return what the assistant says to a question."""
    for words, answer in _SUBJECTS:
        if re.search(rf"\b(?:{'|'.join(words)})", question, re.IGNORECASE):
            return answer
    return _DEFAULT


def tokens_of(texts: Sequence[str]) -> int:
    """Return how many tokens texts count as: their words."""
    return sum(len(text.split()) for text in texts)


def shortened(answer: str, most: int) -> str:
    """Return the beginning of an answer, with so many words at most and its line breaks kept."""
    pieces = pieces_of(answer)
    return "".join(pieces[:most]).rstrip() if len(pieces) > most else answer


def pieces_of(answer: str) -> list[str]:
    """Return an answer word by word, each with the white space that follows it. Together they are the answer."""
    return re.findall(r"\S+\s*", answer)
