-- depends: 0011_idempotency
-- The links of forms that are sent by e-mail: each address has its own, and each mail is sent once.
CREATE TABLE mails (
    token_hash TEXT PRIMARY KEY,
    form_id TEXT NOT NULL REFERENCES forms (id) ON DELETE CASCADE,
    address TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    status TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    due_at BIGINT NOT NULL
);
CREATE INDEX mails_due ON mails (due_at) WHERE status = 'waiting';
CREATE INDEX mails_of_form ON mails (form_id);
