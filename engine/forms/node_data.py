"""What a human-input node says: the text of its form, its fields, its buttons, how long it waits, who is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from graphon.entities.base_node_data import BaseNodeData
from graphon.enums import BuiltinNodeTypes, NodeType
from pydantic import AliasChoices, BaseModel, Field, field_validator, model_validator

# What the contract tells of a form has these bounds.
MOST = 1000
Selector = Annotated[list[Annotated[str, Field(max_length=255)]], Field(max_length=100)]
Words = Annotated[list[str], Field(max_length=MOST)]
Name = Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]{0,29}$")]
SECONDS = {"hour": 3600, "day": 86400}


class _Part(BaseModel):
    """Null stands for what was left out: editors write either."""

    @model_validator(mode="before")
    @classmethod
    def _present(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {name: member for name, member in value.items() if member is not None}


class Source(_Part):
    """Where a default or the options of a select come from: written down, or a variable's value."""

    type: Literal["constant", "variable"] = "constant"
    selector: Selector = []
    value: Any = None


class FormField(_Part):
    """One field; which of the members matter depends on its type."""

    type: Literal["paragraph", "select", "file", "file-list"]
    output_variable_name: Name
    default: Source | None = None
    option_source: Source = Source()
    allowed_file_types: Words = []
    allowed_file_extensions: Words = []
    allowed_file_upload_methods: Words = []
    number_limits: int = Field(0, ge=0, le=2**31 - 1)


class UserAction(_Part):
    """One button; its id names the edge that the run leaves by."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=20)]
    title: Annotated[str, Field(max_length=100)] = ""
    button_style: Literal["primary", "default", "accent", "ghost"] = "default"


class Recipient(_Part):
    """A member of the workspace by account, or an address."""

    type: str = ""
    reference_id: str | None = Field(None, validation_alias=AliasChoices("reference_id", "user_id"))
    email: str | None = None


class Recipients(_Part):
    """Who is sent a mail; the group is all members of the workspace."""

    include_bound_group: bool = Field(False, validation_alias=AliasChoices("include_bound_group", "whole_workspace"))
    items: list[Recipient] = []


class MailText(_Part):
    """What a mail says, and to whom; ``{{#url#}}`` in the body becomes the link."""

    recipients: Recipients = Field(default_factory=lambda: Recipients.model_validate({}))
    subject: str = ""
    body: str = ""


class Delivery(_Part):
    """One way the form reaches people. ``webapp`` makes a link in the events, ``email`` one for each address."""

    type: str = ""
    enabled: bool = True
    config: dict[str, Any] | None = None

    @property
    def mail(self) -> MailText:
        """What ``email`` sends. Raises ValueError for what is no such thing."""
        return MailText.model_validate(self.config or {})


class HumanInputData(_Part, BaseNodeData):
    """Checked when the node is made: a node that asks nonsense fails when it is reached, with the member named."""

    type: NodeType = BuiltinNodeTypes.HUMAN_INPUT
    form_content: str = ""
    inputs: list[FormField] = Field(default_factory=list, max_length=MOST)
    user_actions: list[UserAction] = Field(default_factory=list, max_length=MOST)
    timeout: int = Field(36, ge=1, le=100_000)
    timeout_unit: Literal["hour", "day"] = "hour"
    delivery_methods: list[Delivery] = Field(default_factory=list)

    @field_validator("inputs")
    @classmethod
    def _names(cls, value: list[FormField]) -> list[FormField]:
        _unique([one.output_variable_name for one in value], "output_variable_name")
        return value

    @field_validator("delivery_methods")
    @classmethod
    def _mails(cls, value: list[Delivery]) -> list[Delivery]:
        for one in value:
            if one.type == "email" and one.enabled:
                _ = one.mail
        return value

    @field_validator("user_actions")
    @classmethod
    def _ids(cls, value: list[UserAction]) -> list[UserAction]:
        _unique([one.id for one in value], "id")
        return value

    @property
    def seconds(self) -> int:
        """How long the form waits for an answer."""
        return self.timeout * SECONDS[self.timeout_unit]

    @property
    def has_link(self) -> bool:
        """Whether the form can be answered by its link."""
        return any(one.type == "webapp" and one.enabled for one in self.delivery_methods)


def _unique(names: list[str], member: str) -> None:
    again = next((name for name in names if names.count(name) > 1), None)
    if again is not None:
        raise ValueError(f"{member} '{again}' is used twice")
