"""Every setting of the server: its name, kind, default, bounds and meaning."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from server.setting_kinds import (
    Credentials,
    DatabaseUrl,
    DefaultModel,
    LogLevel,
    ModelsFile,
    Networks,
    Origins,
    PublicUrl,
    RedisUrl,
    Sender,
    SmtpUrl,
    Storage,
    Words,
)


class SettingTable(BaseSettings):
    """The whole configuration. Lists are written with commas."""

    model_config = SettingsConfigDict(
        env_prefix="DIFYSPEC_", env_file=".env", extra="ignore", validate_default=True, populate_by_name=True
    )

    data_dir: Path = Field(Path("difyspec-data"), description="folder of the database and the server's secret")
    database_url: DatabaseUrl = Field(
        "",
        validation_alias=AliasChoices("DIFYSPEC_DATABASE_URL", "DATABASE_URL"),
        description="sqlite:///path or postgresql://user:password@host:port/name; empty: SQLite in data_dir",
    )
    database_connections: int = Field(
        20, ge=4, le=1000, description="most connections of one process to PostgreSQL; transactions wait for a free one"
    )
    database_wait_seconds: float = Field(
        5, gt=0, le=300, description="how long a request waits for a connection, and for a lock, before it is 503"
    )
    database_statement_seconds: float = Field(
        30, ge=0, le=3600, description="longest statement of a server or worker on PostgreSQL in seconds; 0: no limit"
    )
    redis_url: RedisUrl = Field(
        None,
        validation_alias=AliasChoices("DIFYSPEC_REDIS_URL", "REDIS_URL"),
        description="redis://host:port/0 shares rate limits between processes; empty: memory",
    )
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    public_url: PublicUrl = Field("", description="address people reach the server at; empty: http://host:port")
    allowed_hosts: Words = Field(
        [], description="other names that people reach the pages by; .example.org: all below it; *: any name"
    )
    secret_key: SecretStr = Field(
        SecretStr(""), description="encrypts secrets, signs links; empty: made once, in data_dir"
    )
    secret_key_old: SecretStr = Field(
        SecretStr(""), description="the key before `difyspec keys rotate`: opens what it sealed; empty: none"
    )
    token_ttl_days: int = Field(14, ge=1, le=365, description="life of a token in days")
    known_client_ids: Words = Field(["difyctl", "difyspec"], description="clients that may start a sign-in")
    rate_limits: bool = Field(
        True, description="false switches all rate limits off, but those of passwords and of guessed links of forms"
    )
    rate_limit_per_token: int = Field(60, ge=0, le=1_000_000, description="requests a minute per token; 0: no limit")
    rate_limit_per_account: int = Field(
        120, ge=0, le=10_000_000, description="requests a minute of one person with all tokens and pages; 0: no limit"
    )
    rate_limit_dead_tokens: int = Field(
        60, ge=0, le=1_000_000, description="unknown, expired or revoked tokens a minute per address; 0: no limit"
    )
    max_open_device_codes: int = Field(
        10_000, ge=0, le=10_000_000, description="device codes that wait for an answer at one time; 0: no limit"
    )
    max_streams_per_subject: int = Field(
        200, ge=0, le=1_000_000, description="streams of one caller open on a server; the next is 429; 0: no limit"
    )
    large_reads_per_subject: int = Field(
        2, ge=0, le=1_000_000, description="streams of one caller that hold an event over 1 MB at a time; 0: no limit"
    )
    max_streams: int = Field(
        2000, ge=0, le=1_000_000, description="streams open on a server; the next is 503; 0: no limit"
    )
    trusted_proxies: Networks = Field([], description="networks whose X-Forwarded-For is believed")
    cors_allow_origins: Origins = Field([], description="origins of browser apps that may call the API")
    max_body_bytes: int = Field(1024 * 1024, ge=1024, le=1024**3, description="largest request body in bytes")
    body_timeout_seconds: float = Field(30, gt=0, le=3600, description="time a request body may take to arrive")
    max_bodies_mb: int = Field(
        128, ge=0, le=1_000_000, description="MB of bodies that are on their way, in all; more is 503; 0: no limit"
    )
    max_spooled_mb: int = Field(
        2000, ge=0, le=10_000_000, description="MB on disk of answers with files to forms, likewise; 0: no limit"
    )
    max_body_members: int = Field(
        20_000, ge=0, le=10_000_000, description="most members and list items of a JSON body; 0: no limit"
    )
    max_body_depth: int = Field(64, ge=4, le=200, description="deepest nesting of a JSON body")
    max_url_bytes: int = Field(8192, ge=0, le=1024**3, description="longest address of a request; 0: no limit")
    max_head_bytes: int = Field(32_768, ge=0, le=1024**3, description="largest head of a request; 0: no limit")
    max_head_fields: int = Field(100, ge=0, le=1_000_000, description="most header lines of a request; 0: no limit")
    head_timeout_seconds: float = Field(
        10, ge=0, le=3600, description="time a new connection, or a request's head, may take to arrive; 0: no limit"
    )
    keep_alive_seconds: float = Field(
        5, ge=0, le=3600, description="time a connection may wait for its next request; 0: no limit"
    )
    send_timeout_seconds: float = Field(
        60, ge=0, le=3600, description="time in which a client has to take 16 KiB of its answer; 0: no limit"
    )
    max_connections: int = Field(3000, ge=0, le=1_000_000, description="connections at the same time; 0: no limit")
    max_connections_per_address: int = Field(
        200,
        ge=0,
        le=1_000_000,
        description="of one address (IPv6: /64), but for loopback and trusted proxies; 0: no limit",
    )
    mail_from: Sender = Field(
        "", description="sender of mails that bring a form's link, as name@host or Name <name@host>"
    )
    smtp_url: SmtpUrl = Field(
        SecretStr(""),
        description="smtp://user:password@host:587 or smtps://…:465 mails forms; empty: none are sent",
    )
    file_storage: Storage = Field(
        "", description="s3://bucket/prefix (AWS_* variables say where); empty: data_dir/files"
    )
    upload_file_size_limit: int = Field(15, ge=1, le=1024, description="largest file in MB, unless another limit fits")
    upload_image_file_size_limit: int = Field(10, ge=1, le=1024, description="largest image in MB")
    upload_video_file_size_limit: int = Field(100, ge=1, le=1024, description="largest video in MB")
    upload_audio_file_size_limit: int = Field(50, ge=1, le=1024, description="largest audio file in MB")
    workflow_file_upload_limit: int = Field(10, ge=1, le=100, description="most files of one input of a run")
    upload_quota_mb: int = Field(1000, ge=0, description="MB that a person's unused uploads may take; 0: no limit")
    upload_file_extension_blacklist: Words = Field([], description="extensions that are refused, without dots")
    upload_timeout_seconds: float = Field(600, gt=0, le=86400, description="time an upload may take to arrive")
    files_access_timeout: int = Field(3600, ge=10, le=31_536_000, description="life of a link to a file in seconds")
    file_unused_hours: int = Field(24, ge=1, le=8760, description="hours after which an unused upload is deleted")
    file_keep_days: int = Field(0, ge=0, le=36500, description="days that used files are kept; 0: for good")
    request_threads: int = Field(40, ge=1, le=1000, description="threads for handlers; a quarter is never one caller's")
    shutdown_seconds: int = Field(10, ge=0, le=600, description="time open requests get when the server stops")
    allowed_outbound_hosts: Words = Field([], description="private hosts that HTTP nodes may call")
    tool_credentials: Credentials = Field(
        SecretStr(""), description='keys of imported APIs by their names, as JSON: {"weather": "key"}'
    )
    allow_private_addresses: bool = Field(False, description="true lets HTTP nodes call any private address")
    max_execution_seconds: float = Field(1200, gt=0, le=86400, description="longest run in seconds")
    max_execution_steps: int = Field(500, ge=1, le=100_000, description="most node executions of one run")
    code_seconds: float = Field(10, gt=0, le=600, description="longest run of one code node in seconds")
    code_memory_mb: int = Field(256, ge=64, le=8192, description="most memory of one code node in MB")
    max_run_bytes_per_subject: int = Field(
        512 * 1024**2,
        ge=0,
        le=1024**4,
        description="events and values of one caller's runs at work together; 0: no limit",
    )
    max_run_bytes: int = Field(64 * 1024**2, ge=1024, le=1024**3, description="most bytes of all events of one run")
    form_days: float = Field(7, gt=0, le=3650, description="longest time a form waits, whatever its node says")
    sweep_seconds: float = Field(5, ge=0.5, le=3600, description="how often late forms and lost runs are looked for")
    checkpoint_seconds: float = Field(
        5, ge=0, le=86400, description="a run is kept for a restart this often, between two nodes; 0: only at pauses"
    )
    release_seconds: float = Field(
        3, ge=0, le=600, description="time running nodes get to finish when the server stops"
    )
    lease_seconds: float = Field(
        30, ge=2, le=3600, description="a server that is silent for so long loses its runs to another one"
    )
    max_concurrent_runs: int = Field(
        128, ge=0, le=10_000, description="runs executed at the same time; 0: `difyspec worker` executes them"
    )
    max_runs_per_app: int = Field(
        1000,
        ge=0,
        le=100_000,
        description="runs of one app queued or at work on all servers; then 429; 0: no limit",
    )
    max_paused_runs_per_subject: int = Field(
        10_000, ge=0, le=10_000_000, description="runs of one caller that wait for people; the next is 429; 0: no limit"
    )
    max_runs_per_subject: int = Field(
        100, ge=0, le=100_000, description="runs of one caller queued or at work, like that of one app; 0: no limit"
    )
    models_file: ModelsFile = Field(None, description="table of models (docs/models.md); empty: echo answers for all")
    default_model: DefaultModel = Field(
        "", description="back end for models that fit no rule: echo, openai, local, or NAME/MODEL"
    )
    model_answer_bytes: int = Field(
        4 * 1024**2, ge=0, le=1024**3, description="longest answer of a model's server in bytes; 0: no limit"
    )
    model_answer_seconds: float = Field(
        600, ge=0, le=86400, description="time a model's server may take for a whole answer; 0: no limit"
    )
    model_silence_seconds: float = Field(
        120, ge=0, le=3600, description="time a model's server may say nothing; 0: no limit"
    )
    log_level: LogLevel = Field("info", description="least level that is logged")
    access_log: bool = Field(True, description="a line for each request")
    log_format: Literal["auto", "console", "json"] = Field("auto", description="auto: console on a terminal")
