//! The primitives over generations.

use super::Registry;
use crate::generation::series::named;
use crate::generation::{build, claim, pin, prove, prune, publish, remove, show, solve};
use crate::world::Effect::{Changes, Reads};

/// What every example stands on.
macro_rules! adopted {
    ($then:literal) => {
        concat!(r#"generation.adopt("science") generation.prove("science") "#, $then)
    };
}

pub fn declare(reg: &mut Registry) {
    reg.add("generation.adopt", Changes, &["env"], r#"generation.adopt("science")"#, build::adopt);
    reg.add(
        "generation.solve",
        Changes,
        &["name"],
        adopted!(r#"print(generation.solve("science", { specs = { "openblas" } }).number)"#),
        solve::solve,
    );
    reg.add(
        "generation.build",
        Changes,
        &["name"],
        adopted!(r#"generation.solve("science", { specs = { "openblas" } }) generation.build("science")"#),
        build::build,
    );
    reg.add(
        "generation.prove",
        Changes,
        &["name"],
        adopted!(r#"print(generation.prove("science", { deep = true }).ok)"#),
        prove::prove,
    );
    reg.add(
        "generation.publish",
        Changes,
        &["name"],
        adopted!(r#"print(generation.publish("science").link)"#),
        publish::publish,
    );
    reg.add(
        "generation.rollback",
        Changes,
        &["name"],
        adopted!(r#"generation.publish("science") generation.rollback("science", { to = 1 })"#),
        publish::rollback,
    );
    reg.add("generation.named", Reads, &["env"], r#"print(generation.named("science"))"#, named::named);
    reg.add("generation.list", Reads, &["name"], adopted!(r#"print(#generation.list())"#), show::list);
    reg.add(
        "generation.show",
        Reads,
        &["name", "number"],
        adopted!(r#"print(generation.show("science").path)"#),
        show::show,
    );
    reg.add(
        "generation.diff",
        Reads,
        &["name", "from", "to"],
        adopted!(r#"generation.diff("science", 1)"#),
        show::diff,
    );
    reg.add(
        "generation.remove",
        Changes,
        &["name", "number"],
        adopted!(
            r#"generation.solve("science", { specs = { "openblas" } }) generation.remove("science", 2)"#
        ),
        remove::remove,
    );
    reg.add("generation.claim", Changes, &["name"], adopted!(r#"generation.claim("science")"#), claim::claim);
    reg.add(
        "generation.pin",
        Changes,
        &["name", "number"],
        adopted!(r#"generation.pin("science", 1)"#),
        pin::pin,
    );
    reg.add(
        "generation.unpin",
        Changes,
        &["name", "number"],
        adopted!(r#"generation.pin("science", 1) generation.unpin("science", 1)"#),
        pin::unpin,
    );
    reg.add(
        "generation.prune",
        Changes,
        &["name"],
        "generation.prune({ keep = 3, dry_run = true })",
        prune::prune,
    );
}
