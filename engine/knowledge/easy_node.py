"""The node that looks things up before the model of a ``chat`` or ``completion`` app is asked."""

from __future__ import annotations

from graphon.enums import WorkflowNodeExecutionStatus
from graphon.node_events.base import NodeRunResult

from engine.knowledge.node import KnowledgeData, KnowledgeRetrievalNode

_FRAME = """Answer from the passages between <context> and </context>; if they do not hold the answer, say so.
<context>
{text}
</context>"""


class EasyKnowledgeData(KnowledgeData):
    """``before`` is what stands between the author's prompt and the passages that follow it."""

    type: str = "easy-knowledge"
    before: str = ""


class EasyKnowledgeNode(KnowledgeRetrievalNode):
    """Gives, beside ``result``, what a prompt takes in: the passages as ``text``, and as a ``block`` that says what
    they are. Both are empty when nothing was found. As values of variables they are never read as templates.
    """

    node_type = "easy-knowledge"
    node_data: EasyKnowledgeData

    def _run(self) -> NodeRunResult:
        told = super()._run()
        if told.status != WorkflowNodeExecutionStatus.SUCCEEDED:
            return told
        text = "\n\n".join(one["content"] for one in told.outputs["result"].value)
        block = self.node_data.before + _FRAME.format(text=text) if text else ""
        return told.model_copy(update={"outputs": {**told.outputs, "text": text, "block": block}})
