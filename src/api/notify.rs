//! The primitives that tell somebody.

use super::Registry;
use crate::notify::call;
use crate::world::Effect::Changes;

/// Declares them.
pub fn declare(reg: &mut Registry) {
    reg.add(
        "notify.send",
        Changes,
        &["channel", "title", "text"],
        r#"pcall(notify.send, "operators", "stack built", "12 specs installed")"#,
        call::send,
    );
    reg.add(
        "notify.webhook",
        Changes,
        &["url", "title", "text"],
        r#"notify.webhook("http://127.0.0.1:9/hook", "stack built", { shape = "slack", attempts = 1 }).delivered"#,
        call::webhook,
    );
    reg.add(
        "notify.mail",
        Changes,
        &["to", "title", "text"],
        r#"notify.mail("root@localhost", "stack built", "12 specs installed", { sendmail = { "cat" } })"#,
        call::mail,
    );
    reg.add(
        "notify.exec",
        Changes,
        &["argv", "title", "text"],
        r#"notify.exec({ "cat" }, "stack built", { facts = { specs = 12 } }).delivered"#,
        call::exec,
    );
}
