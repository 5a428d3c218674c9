//! The primitives over snapshots.

use super::Registry;
use crate::generation::series::history;
use crate::snapshot::exchange::{export, import};
use crate::snapshot::judge::{check, diff, list, show, verify};
use crate::snapshot::record::{capture, marks, prune};
use crate::snapshot::restore;
use crate::world::Effect::{Changes, Reads};

pub fn declare(reg: &mut Registry) {
    reg.add(
        "snapshot.create",
        Changes,
        &["env"],
        r#"snapshot.create("science", { description = "before the upgrade", tags = { "spring" } })"#,
        capture::create,
    );
    reg.add("snapshot.list", Reads, &["env"], "snapshot.list()", |cx, args| {
        list::list(cx, args, history::folders)
    });
    reg.add(
        "snapshot.show",
        Reads,
        &["snapshot"],
        r#"snapshot.create("science") print(#snapshot.show("science@1").hashes)"#,
        show::show,
    );
    reg.add(
        "snapshot.log",
        Reads,
        &["env"],
        r#"snapshot.create("science") print(snapshot.log("science")[1].snapshot)"#,
        |cx, args| list::log(cx, args, history::folders),
    );
    reg.add(
        "snapshot.check",
        Reads,
        &["snapshot"],
        r#"snapshot.create("science") print(snapshot.check("science@1").verdict)"#,
        check::check,
    );
    reg.add(
        "snapshot.diff",
        Reads,
        &["from", "to"],
        r#"snapshot.create("science") print(#snapshot.diff("science@1").packages)"#,
        diff::diff,
    );
    reg.add(
        "snapshot.restore",
        Changes,
        &["snapshot"],
        r#"snapshot.create("science") print(snapshot.restore("science@1").snapshot)"#,
        restore::restore,
    );
    reg.add("snapshot.verify", Reads, &["snapshot"], "snapshot.verify()", verify::verify);
    reg.add(
        "snapshot.tag",
        Changes,
        &["snapshot"],
        r#"snapshot.create("science") snapshot.tag("science@1", { add = { "spring" }, good = true })"#,
        marks::tag,
    );
    reg.add(
        "snapshot.pin",
        Changes,
        &["snapshot"],
        r#"snapshot.create("science") snapshot.pin("science@1")"#,
        marks::pin,
    );
    reg.add(
        "snapshot.unpin",
        Changes,
        &["snapshot"],
        r#"snapshot.create("science", { pin = true }) snapshot.unpin("science@1")"#,
        marks::unpin,
    );
    reg.add(
        "snapshot.delete",
        Changes,
        &["snapshot"],
        r#"snapshot.create("science") snapshot.delete("science@1")"#,
        marks::delete,
    );
    reg.add(
        "snapshot.export",
        Changes,
        &["snapshot", "file"],
        r#"local dir = fs.temp_dir() snapshot.create("science") print(snapshot.export("science", dir .. "/s.tar.zst").size)"#,
        export::export,
    );
    reg.add(
        "snapshot.import",
        Changes,
        &["file"],
        r#"local file = fs.temp_dir() .. "/s.tar.zst" snapshot.create("science") snapshot.export("science", file) snapshot.delete("science@1") print(snapshot.import(file).snapshot)"#,
        import::import,
    );
    reg.add("snapshot.prune", Changes, &["env"], "snapshot.prune({ dry_run = true })", prune::prune);
}
