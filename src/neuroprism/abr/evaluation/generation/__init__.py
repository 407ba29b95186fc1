"""How good generated recordings are: what they teach, how they spread, whether they are copies."""

from neuroprism.abr.evaluation.generation.generated_set import GenerationSettings
from neuroprism.abr.evaluation.generation.quality import GenerationQuality, judge_generated

__all__ = ["GenerationQuality", "GenerationSettings", "judge_generated"]
