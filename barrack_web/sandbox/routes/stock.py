"""GPUs: how many are free where, what hardware comes with them, and taking some for an instance."""

from barrack_web.sandbox.prices import GPU_MODELS, TIERS, GpuModel, gpu_hourly
from barrack_web.sandbox.routes.answers import Answer, ApiError, Json, Route, bad_query, no_credit, ok
from barrack_web.sandbox.routes.filters import REGION_NAMES, matching
from barrack_web.sandbox.world import World

GPU_COUNTS = (1, 2, 4, 8)
# The stock is told for sizes that no model comes in yet, too.
_STOCK_SIZES = (*GPU_COUNTS, 10)
# Of more GPUs than this, the text says so much and a plus sign.
_MOST_TOLD = 200


def get_gpu_stocks(world: World, _params: dict[str, str], query: dict[str, str], _body: Json) -> Answer:
    """Answer the free GPUs per region and model; no rows for a region that does not exist."""
    rows = [_stock_row(world, region, model) for region in REGION_NAMES for model in GPU_MODELS]
    return ok("GPU stock retrieved", stocks=matching(rows, query))


def get_gpu_specs(world: World, _params: dict[str, str], query: dict[str, str], _body: Json) -> Answer:
    """Answer the hardware per model and number of GPUs; 400 for a model or tier outside the catalog."""
    known = {"gpu_model": tuple(GPU_MODELS), "tier": TIERS}
    for name, words in known.items():
        if query.get(name, words[0]) not in words:
            raise bad_query(name, "This is not in the catalog.")
    rows = [
        _spec_row(name, gpu, count)
        for name, gpu in GPU_MODELS.items()
        for count in GPU_COUNTS
        if count <= gpu.max_count and query.get("gpu_model", name) == name and query.get("tier", gpu.tier) == gpu.tier
    ]
    metadata = {"total": len(rows), "supported_tiers": list(TIERS), "timestamp": int(world.now().timestamp())}
    return ok("GPU specifications retrieved", specs=rows, metadata=metadata)


def reserve(world: World, region: str, model: str | None, count: int) -> None:
    """Take GPUs out of the stock; raise the 402 without an hour's worth of credit, the 503 without enough stock."""
    if not model:
        return
    price = gpu_hourly(model, count, world.currency)
    if world.balance() < price:
        raise no_credit(f"One hour of this instance costs {price} {world.currency}; the balance is lower.")
    if world.stock.get((region, model), 0) < count:
        raise ApiError(503, "OUT_OF_STOCK", f"{count} × {model} is out of stock in {region} at the moment.")
    world.stock[region, model] -= count


def _stock_row(world: World, region: str, model: str) -> Json:
    free, gpu = max(0, world.stock.get((region, model), 0)), GPU_MODELS[model]
    sizes = {f"{size}x": free // size if size <= gpu.max_count else 0 for size in _STOCK_SIZES}
    available = f"{_MOST_TOLD}+" if free > _MOST_TOLD else str(free)
    return {"region": region, "model": model, "available": available, "configurations": sizes, "tier": gpu.tier}


def _spec_row(name: str, gpu: GpuModel, count: int) -> Json:
    # The hardware is the same in each region, so that there is one row for all of them.
    return {
        "gpu_model": name,
        "gpu_count": count,
        "tier": gpu.tier,
        "region": None,
        "specs": {
            "cpu": gpu.cpu * count,
            "ram": gpu.ram * count,
            "disk": gpu.disk,
            "ephemeral": gpu.ephemeral * count,
            "gpu_memory_gb": gpu.memory,
        },
        "price": {currency: price * count for currency, price in gpu.prices.items()},
    }


ROUTES = (
    Route("get_gpu_stocks", "GET", "/gpu-stocks", get_gpu_stocks),
    Route("get_gpu_specs", "GET", "/gpu-specs", get_gpu_specs),
)
