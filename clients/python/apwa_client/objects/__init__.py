"""The objects of the interface, as dicts whose members type checkers know.

They are what the API sent: members this version does not know are there too.
"""

from apwa_client.objects.accounts import (
    AuditEntryObject,
    CapabilityObject,
    KeyObject,
    ModelObject,
    ProjectObject,
    UsageGroupObject,
)
from apwa_client.objects.data import (
    AppendedObject,
    ColumnObject,
    RecordObject,
    StreamObject,
    TableObject,
)
from apwa_client.objects.hooks import (
    DeliveryObject,
    EndpointObject,
    SecretObject,
    TriggerDeliveryObject,
    TriggerObject,
)
from apwa_client.objects.jobs import (
    FINAL,
    EstimateObject,
    FailureObject,
    JobObject,
    JobStatus,
    Outcome,
    PlanObject,
    ProgressObject,
    ResultFormat,
    ResultObject,
    StageObject,
    SubtaskDetailObject,
    SubtaskObject,
    UsageObject,
    ViewTokenObject,
)
from apwa_client.objects.workflows import (
    WorkflowObject,
)

__all__ = [
    "FINAL",
    "AppendedObject",
    "AuditEntryObject",
    "CapabilityObject",
    "ColumnObject",
    "DeliveryObject",
    "EndpointObject",
    "EstimateObject",
    "FailureObject",
    "JobObject",
    "JobStatus",
    "KeyObject",
    "ModelObject",
    "Outcome",
    "PlanObject",
    "ProgressObject",
    "ProjectObject",
    "RecordObject",
    "ResultFormat",
    "ResultObject",
    "SecretObject",
    "StageObject",
    "StreamObject",
    "SubtaskDetailObject",
    "SubtaskObject",
    "TableObject",
    "TriggerDeliveryObject",
    "TriggerObject",
    "UsageGroupObject",
    "UsageObject",
    "ViewTokenObject",
    "WorkflowObject",
]
