"""The base class of every configuration section."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A frozen part of the configuration that admits no unknown key.

    A section is declared beside the class that it configures; field
    descriptions become the documentation of the key. Values are validated
    when the configuration is loaded, never later.

    Examples
    --------
    >>> from pydantic import Field
    >>> class Optimizer(Section):
    ...     learning_rate: float = Field(1e-3, gt=0, description="peak rate")
    >>> Optimizer(learning_rate=0.1).learning_rate
    0.1
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        protected_namespaces=(),
    )
