"""Operations about the service itself."""

from services.api.operations.parts import INVALID, KEY, Operation
from services.api.schemas import answers, service_answers

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "list_capabilities", "GET", "/v1/capabilities", "service", "List what workers can run",
        answer=answers.CapabilitySchema, is_list=True, problems=(KEY[0], INVALID),
    ),
    Operation(
        "list_models", "GET", "/v1/models", "service", "List the configured model endpoints",
        answer=service_answers.ModelEndpointSchema, is_list=True, problems=(KEY[0], INVALID),
        detail="Without their keys; addresses are told to keys with the scope `admin` only.",
    ),
    Operation(
        "metrics", "GET", "/metrics", "service", "Metrics for Prometheus", public=True,
        other_types=("text/plain",), answer_text="Text format 0.0.4.",
        problems=((401, "The token of APWA_METRICS_TOKEN is missing."),
                  (403, "Not for this address (APWA_METRICS_NETWORKS)."), INVALID),
        detail="No names of projects, keys or rows. The database is asked every few seconds only.",
    ),
    Operation(
        "livez", "GET", "/livez", "service", "Tell that the process lives", public=True,
        answer=answers.StatusSchema, problems=(INVALID,),
    ),
    Operation(
        "readyz", "GET", "/readyz", "service", "Tell whether database, schema and broker are fine",
        public=True, answer=answers.StatusSchema, problems=((503, "What is wrong."), INVALID),
    ),
    Operation(
        "version", "GET", "/version", "service", "Return what runs here", public=True,
        answer=answers.VersionSchema, problems=(INVALID,),
    ),
)  # fmt: skip
