"""FastAPI doing the same work, as its documentation teaches: models in and out, plain functions for the database."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import uvicorn
from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Query
from pydantic import BaseModel, ConfigDict, Field

from bench import queries

api = APIRouter(prefix="/openapi/v1")


class Health(BaseModel):
    ok: bool


class Workspace(BaseModel):
    id: str
    name: str
    role: str


class Person(BaseModel):
    id: str
    email: str
    name: str


class Account(BaseModel):
    subject_type: str
    subject_email: str | None
    subject_issuer: str | None
    account: Person | None
    workspaces: list[Workspace]
    default_workspace_id: str | None


class Tag(BaseModel):
    name: str


class Row(BaseModel):
    id: str
    name: str
    description: str | None
    mode: str
    tags: list[Tag]
    updated_at: str
    created_by_name: str | None
    workspace_id: str
    workspace_name: str


class Page(BaseModel):
    page: int
    limit: int
    total: int
    has_more: bool
    data: list[Row]


class Start(BaseModel):
    model_config = ConfigDict(extra="forbid")
    client_id: str = Field(max_length=64)
    device_label: str = Field(max_length=255)


class Started(BaseModel):
    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_in: int
    interval: int


def who(authorization: Annotated[str | None, Header()] = None) -> tuple[str, str, str]:
    found = queries.caller(authorization)
    if found is None:
        raise HTTPException(401)
    return found


Who = Annotated[tuple[str, str, str], Depends(who)]


@api.get("/_health")
async def health() -> Health:
    return Health(ok=True)


@api.get("/account")
def account(person: Who) -> Account:
    return Account(**queries.account(person))


@api.get("/apps")
def apps(
    person: Who,
    workspace_id: str,
    page: Annotated[int, Query(ge=1)] = 1,
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
) -> Page:
    if not queries.member(person, workspace_id):
        raise HTTPException(404)
    return Page(**queries.apps(workspace_id, page, limit))


@api.get("/apps/{app_id}/describe")
def describe(person: Who, app_id: str) -> dict[str, Any]:
    found = queries.describe(person, app_id)
    if found is None:
        raise HTTPException(404)
    return found


@api.post("/oauth/device/code")
def device_code(body: Start) -> Started:
    return Started(**queries.device_code(body.client_id, body.device_label))


app = FastAPI()
app.include_router(api)

if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_level="error", access_log=False)
