"""The methods there are, what each says of itself, and how a pipeline's settings become one."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from pydantic import TypeAdapter, ValidationError

from medaudit.attribution.adaib import Adaib, AdaibSettings
from medaudit.attribution.agi import Agi, AgiSettings
from medaudit.attribution.ampe import Ampe, AmpeSettings
from medaudit.attribution.attn_lrp import AttnLRP, AttnLRPSettings
from medaudit.attribution.ca_m2ib import CaM2ib, CaM2ibSettings
from medaudit.attribution.chefer import Chefer, CheferSettings
from medaudit.attribution.coiba import Coiba, CoibaSettings
from medaudit.attribution.controls import CentreGaussian, CentreSettings, ConstantMap, EdgeDetector, RandomMap
from medaudit.attribution.dense import Gem, GemSettings, MaskClip, Surgery, SurgerySettings
from medaudit.attribution.grad_cam import GradCAM, GradCAMSettings
from medaudit.attribution.grad_eclip import GradEclip, GradEclipSettings
from medaudit.attribution.integrated_gradients import NIB, IGSettings, IntegratedGradients, NIBSettings
from medaudit.attribution.kernel_shap import KernelShap, KernelShapSettings
from medaudit.attribution.legrad import LeGrad, LeGradSettings
from medaudit.attribution.m2ib import M2IB, M2IBSettings
from medaudit.attribution.method import Method, MethodInfo, Needs, NoSettings
from medaudit.attribution.mfaba import Mfaba, MfabaSettings
from medaudit.attribution.occlusion import Occlusion, OcclusionSettings
from medaudit.attribution.rise import Rise, RiseSettings
from medaudit.attribution.rollout import Rollout, RolloutSettings
from medaudit.attribution.saliency import Saliency, SmoothGrad, SmoothGradSettings
from medaudit.attribution.second_order import SecondOrder, SecondOrderSettings
from medaudit.attribution.sides import PairMethod
from medaudit.attribution.snna import Snna, SnnaSettings
from medaudit.errors import UsageError
from medaudit.records import Quantity


@dataclass(frozen=True, slots=True)
class Entry:
    """A method, the class of its settings, and what it says of itself."""

    method: type[Any]
    settings: type[Any]
    info: MethodInfo


def _entry(method: type[PairMethod], settings: type[Any] = NoSettings) -> tuple[str, Entry]:
    return method.name, Entry(method, settings, method.info)


_M2IB = MethodInfo(
    "M2IB (multi-modal information bottleneck)",
    "Wang et al., NeurIPS 2023, equations 4-9",
    "90 forward, 90 backward through the last 2 blocks",
    Quantity.NATS,
    needs=Needs.BLOCKS,
    noise=True,
)

METHODS: Mapping[str, Entry] = dict(
    [
        (M2IB.name, Entry(M2IB, M2IBSettings, _M2IB)),
        _entry(NIB, NIBSettings),
        _entry(Coiba, CoibaSettings),
        _entry(CaM2ib, CaM2ibSettings),
        _entry(Adaib, AdaibSettings),
        _entry(GradEclip, GradEclipSettings),
        _entry(SecondOrder, SecondOrderSettings),
        _entry(IntegratedGradients, IGSettings),
        _entry(Saliency),
        _entry(SmoothGrad, SmoothGradSettings),
        _entry(Mfaba, MfabaSettings),
        _entry(Agi, AgiSettings),
        _entry(Ampe, AmpeSettings),
        _entry(GradCAM, GradCAMSettings),
        _entry(AttnLRP, AttnLRPSettings),
        _entry(Chefer, CheferSettings),
        _entry(Rollout, RolloutSettings),
        _entry(LeGrad, LeGradSettings),
        _entry(Snna, SnnaSettings),
        _entry(MaskClip),
        _entry(Surgery, SurgerySettings),
        _entry(Gem, GemSettings),
        _entry(Occlusion, OcclusionSettings),
        _entry(Rise, RiseSettings),
        _entry(KernelShap, KernelShapSettings),
        _entry(RandomMap),
        _entry(ConstantMap),
        _entry(CentreGaussian, CentreSettings),
        _entry(EdgeDetector),
    ]
)
"""Name -> the method; in the order in which they are listed."""


def listing() -> list[dict[str, Any]]:
    """Every method as plain values: what it says of itself, and its settings with their defaults."""
    return [
        {
            "name": name,
            "title": entry.info.title,
            "paper": entry.info.paper,
            "quantity": entry.info.quantity.value,
            "sides": ", ".join(entry.info.sides),
            "needs": entry.info.needs.value,
            "noise": entry.info.noise,
            "cost": entry.info.cost,
            "settings": asdict(entry.settings()),
        }
        for name, entry in METHODS.items()
    ]


def build_method(name: str, settings: Mapping[str, Any]) -> Method:
    """Build a method with its settings.

    Raises
    ------
    UsageError
        No such method, no such setting, or a value of the wrong type or range.

    """
    if name not in METHODS:
        msg = f"method: {name!r} is unknown; known: {', '.join(METHODS)}"
        raise UsageError(msg)
    entry = METHODS[name]
    known = [item.name for item in fields(entry.settings)]
    unknown = sorted(set(settings) - set(known))
    if unknown:
        has = f"it has {', '.join(known)}" if known else "it has no settings"
        msg = f"settings: {name} has no {', '.join(unknown)}; {has}"
        raise UsageError(msg)
    try:
        built: Method = entry.method(TypeAdapter(entry.settings).validate_python(dict(settings)))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        msg = f"settings: {where or name}: {first['msg'].removeprefix('Value error, ')}"
        raise UsageError(msg) from error
    return built
