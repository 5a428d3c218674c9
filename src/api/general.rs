//! The general primitives.

use super::Registry;
use crate::general::{data, fs, fs_change, http, log, process, site, text, time, version};
use crate::world::Effect::{Changes, Reads};

/// Declares them.
pub fn declare(reg: &mut Registry) {
    files(reg);
    programs(reg);
    formats(reg);
    times(reg);
    texts(reg);
}

fn files(reg: &mut Registry) {
    reg.add(
        "fs.read",
        Reads,
        &["path"],
        r#"local dir = fs.temp_dir() fs.write(dir .. "/a", "one\n") return fs.read(dir .. "/a")"#,
        fs::read,
    );
    reg.add("fs.list", Reads, &["path"], "fs.list(fs.temp_dir())", fs::list);
    reg.add("fs.walk", Reads, &["path"], "fs.walk(fs.temp_dir(), { depth = 2 })", fs::walk);
    reg.add("fs.stat", Reads, &["path"], r#"fs.stat("/").kind"#, fs::stat);
    reg.add("fs.exists", Reads, &["path"], r#"fs.exists("/nowhere")"#, fs::exists);
    reg.add(
        "fs.digest",
        Reads,
        &["path"],
        r#"local dir = fs.temp_dir() fs.write(dir .. "/a", "one") return fs.digest(dir .. "/a")"#,
        fs::digest,
    );
    reg.add("fs.tree_digest", Reads, &["path"], "fs.tree_digest(fs.temp_dir())", fs::tree_digest);
    reg.add(
        "fs.write",
        Changes,
        &["path", "content"],
        r#"fs.write(fs.temp_dir() .. "/report", "all is well\n", { mode = "640" })"#,
        fs_change::write,
    );
    reg.add(
        "fs.remove",
        Changes,
        &["path"],
        "fs.remove(fs.temp_dir(), { recursive = true })",
        fs_change::remove,
    );
    reg.add(
        "fs.move",
        Changes,
        &["from", "to"],
        r#"local dir = fs.temp_dir() fs.write(dir .. "/a", "one") fs.move(dir .. "/a", dir .. "/b")"#,
        fs_change::rename,
    );
    reg.add(
        "fs.copy",
        Changes,
        &["from", "to"],
        r#"local dir = fs.temp_dir() fs.write(dir .. "/a", "one") fs.copy(dir .. "/a", dir .. "/b")"#,
        fs_change::copy,
    );
    reg.add("fs.mkdir", Changes, &["path"], r#"fs.mkdir(fs.temp_dir() .. "/a/b")"#, fs_change::mkdir);
    reg.add("fs.temp_dir", Changes, &[], "local dir = fs.temp_dir()", fs_change::temp_dir);
}

fn programs(reg: &mut Registry) {
    reg.add(
        "process.run",
        Changes,
        &["argv"],
        r#"process.run({ "uname", "-s" }, { timeout = "10s", reads = true }).stdout"#,
        process::run,
    );
    reg.add(
        "http.get",
        Reads,
        &["url"],
        r#"pcall(http.get, "http://127.0.0.1:9/index.json", { timeout = "1s", check = false })"#,
        http::get,
    );
}

fn formats(reg: &mut Registry) {
    reg.add(
        "json.encode",
        Reads,
        &["value"],
        r#"json.encode({ name = "zlib", tags = { "a", "b" } }, { pretty = true })"#,
        data::json_encode,
    );
    reg.add("json.decode", Reads, &["text"], r#"json.decode('{"name": "zlib"}').name"#, data::json_decode);
    reg.add("json.list", Reads, &["items"], "json.encode({ failed = json.list({}) })", data::json_list);
    reg.add(
        "yaml.decode",
        Reads,
        &["text"],
        r#"yaml.decode("spack:\n  specs: [zlib]\n").spack.specs"#,
        data::yaml_decode,
    );
    reg.add("toml.encode", Reads, &["value"], r#"toml.encode({ spack = "/opt/spack" })"#, data::toml_encode);
    reg.add("toml.decode", Reads, &["text"], r#"toml.decode("jobs = 8").jobs"#, data::toml_decode);
}

fn times(reg: &mut Registry) {
    reg.add("time.now", Reads, &[], r#"time.now({ zone = "UTC" }).rfc3339"#, time::now);
    reg.add("time.sleep", Reads, &["span"], r#"time.sleep("10ms")"#, time::sleep);
    reg.add(
        "time.parse",
        Reads,
        &["text"],
        r#"time.parse("2026-03-01 12:00", { zone = "UTC" }).seconds"#,
        time::parse,
    );
    reg.add(
        "time.format",
        Reads,
        &["seconds", "format"],
        r#"time.format(0, "%Y-%m-%d", { zone = "UTC" })"#,
        time::format,
    );
    reg.add("time.span", Reads, &["span"], r#"time.span("2h 30m")"#, time::span);
    reg.add("time.words", Reads, &["seconds"], "time.words(9000)", time::in_words);
}

fn texts(reg: &mut Registry) {
    reg.add("log.debug", Reads, &["message", "fields"], r#"log.debug("looked", { files = 3 })"#, log::debug);
    reg.add("log.info", Reads, &["message", "fields"], r#"log.info("begun")"#, log::info);
    reg.add("log.warn", Reads, &["message", "fields"], r#"log.warn("slow", { seconds = 90 })"#, log::warn);
    reg.add("log.error", Reads, &["message", "fields"], r#"log.error("gone", { path = "/x" })"#, log::error);
    reg.add("text.split", Reads, &["text", "separator"], r#"text.split("a,b,c", ",")"#, text::split);
    reg.add("text.trim", Reads, &["text"], r#"text.trim("  zlib\n")"#, text::trim);
    reg.add("text.lines", Reads, &["text"], r#"text.lines("one\ntwo\n")"#, text::lines);
    reg.add(
        "text.table",
        Reads,
        &["rows"],
        r#"text.table({ { "zlib", "1.3" } }, { header = { "name", "version" } })"#,
        text::table,
    );
    reg.add("text.size", Reads, &["size"], r#"text.size("4 GiB")"#, text::size);
    reg.add("text.size_words", Reads, &["bytes"], "text.size_words(1536)", text::size_words);
    reg.add(
        "text.nearest",
        Reads,
        &["typed", "known"],
        r#"text.nearest("instal", { "install", "find" })"#,
        text::nearest,
    );
    reg.add(
        "text.version_compare",
        Reads,
        &["a", "b"],
        r#"text.version_compare("1.10", "1.9")"#,
        version::compare,
    );
    reg.add(
        "text.version_satisfies",
        Reads,
        &["version", "ranges"],
        r#"text.version_satisfies("1.3", "1.2:1.4")"#,
        version::satisfies,
    );
    reg.add(
        "text.version_sort",
        Reads,
        &["versions"],
        r#"text.version_sort({ "1.10", "1.9" })"#,
        version::sort,
    );
    reg.add("site.info", Reads, &[], "site.info().state", site::info);
    reg.add(
        "site.policy",
        Reads,
        &["name", "facts"],
        r#"site.policy("retry", { attempt = 1, max = 3, kind = "fetch", message = "timed out", seconds = 4, name = "hdf5" })"#,
        site::policy,
    );
    reg.add("site.get", Reads, &["key"], r#"site.get("limits.spack").value"#, site::get);
}
