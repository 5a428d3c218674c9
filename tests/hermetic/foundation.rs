//! What is relied on in mlua beyond its documented interface. An upgrade that moves it fails here first.

use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mlua::{Function, HookTriggers, Lua, LuaSerdeExt as _, MultiValue, Table, Thread, Value, VmState};
use moonstack::base::{Kind, Trouble};
use moonstack::script::value::{self, error, extent};

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// A machine with `nap(ms)`, the smallest function that waits.
fn lua() -> Lua {
    let lua = Lua::new();
    let nap = lua
        .create_async_function(|_, ms: u64| async move {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            Ok("rested")
        })
        .unwrap();
    lua.globals().set("nap", nap).unwrap();
    lua
}

fn function(lua: &Lua, text: &str) -> Function {
    lua.load(text).into_function().unwrap()
}

#[test]
fn pcall_and_xpcall_can_be_waited_through() {
    let lua = lua();
    for name in ["pcall", "xpcall"] {
        let call: Function = lua.globals().get(name).unwrap();
        let work = function(&lua, "return nap(1)");
        let same = function(&lua, "return ...");
        let got: (bool, String) = match name {
            "pcall" => block_on(call.call_async(work)).unwrap(),
            _ => block_on(call.call_async((work, same))).unwrap(),
        };
        assert_eq!(got, (true, "rested".to_owned()), "{name}");
    }
}

#[test]
fn a_dropped_call_closes_its_variables() {
    let lua = lua();
    let closed = Rc::new(Cell::new(false));
    let mark = Rc::clone(&closed);
    let close = lua.create_function(move |_, ()| {
        mark.set(true);
        Ok(())
    });
    lua.globals().set("close", close.unwrap()).unwrap();
    let work =
        function(&lua, "local x <close> = setmetatable({}, { __close = function() close() end }) nap(60000)");
    let late = block_on(tokio_timeout(20, work.call_async::<()>(())));
    assert!(late && closed.get());
}

/// Whether the work was dropped before it was done.
async fn tokio_timeout(ms: u64, work: impl Future) -> bool {
    tokio::time::timeout(Duration::from_millis(ms), work).await.is_err()
}

#[test]
fn a_close_that_waits_needs_a_protected_call_and_has_it() {
    let lua = lua();
    let pcall: Function = lua.globals().get("pcall").unwrap();
    let work = function(
        &lua,
        "local x <close> = setmetatable({}, { __close = function() nap(1) done = true end }) error('x', 0)",
    );
    let (ok, message): (bool, String) = block_on(pcall.call_async(work)).unwrap();
    assert!(!ok && message == "x");
    assert!(lua.globals().get::<bool>("done").unwrap());
}

#[test]
fn an_error_is_found_again_after_lua_and_its_metatable_can_be_given_fields() {
    let lua = lua();
    error::install(&lua).unwrap();
    let raise = lua.create_async_function(|_, ()| async {
        Err::<(), _>(error::raise(Trouble::new(Kind::Busy, "occupied").fact("who", "me")))
    });
    lua.globals().set("raise", raise.unwrap()).unwrap();
    let text = "local ok, e = pcall(raise) assert(e.kind == 'busy' and e.facts.who == 'me') error(e, 0)";
    let failed = block_on(function(&lua, text).call_async::<()>(())).unwrap_err();
    assert_eq!(error::find(&failed).unwrap().kind(), Kind::Busy);
    assert_eq!(error::from_error(&failed).message(), "occupied");
}

#[test]
fn the_pending_marker_comes_out_of_a_coroutine_and_the_answer_goes_in() {
    let lua = lua();
    lua.globals().set("pending", Lua::poll_pending()).unwrap();
    let text = "
        local thread = coroutine.create(function() return nap(5) end)
        local ok, first = coroutine.resume(thread)
        assert(ok and first == pending, 'the marker is not what resume gives')
        local rounds = 0
        while first == pending and coroutine.status(thread) == 'suspended' do
            rounds = rounds + 1
            ok, first = coroutine.resume(thread, coroutine.yield(pending))
        end
        return first, rounds";
    let (first, rounds): (String, u32) = block_on(function(&lua, text).call_async(())).unwrap();
    assert!(first == "rested" && (1..10).contains(&rounds), "{first} after {rounds}");
}

/// So often the hook lets a script go on.
const PATIENCE: usize = 30;

#[test]
fn the_hook_reaches_coroutines_within_coroutines_and_calls_of_c() {
    for text in [
        "while true do end",
        "coroutine.wrap(function() coroutine.wrap(function() while true do end end)() end)()",
        "local t = {} for i = 1, 1e5 do t[i] = i % 97 end while true do table.sort(t, function(a, b) return a > b end) end",
        "while true do pcall(function() while true do end end) end",
    ] {
        let lua = Lua::new();
        let calls = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&calls);
        let triggers = HookTriggers::new().every_nth_instruction(10_000);
        lua.set_global_hook(triggers, move |_, _| {
            if count.fetch_add(1, Ordering::Relaxed) < PATIENCE {
                Ok(VmState::Continue)
            } else {
                Err(error::raise(Trouble::cancelled()))
            }
        })
        .unwrap();
        // Keeps a raised hook error from being swallowed, as the prelude does.
        let strict =
            "local raw = pcall function pcall(f) local ok, e = raw(f) if not ok then error(e, 0) end end ";
        let failed = block_on(function(&lua, &[strict, text].concat()).call_async::<()>(())).unwrap_err();
        assert_eq!(error::find(&failed).unwrap().kind(), Kind::Cancelled, "{text}");
        // Nobody goes on after it was raised once: another call of the hook would mean 10 000 more instructions.
        assert_eq!(calls.load(Ordering::Relaxed), PATIENCE + 1, "{text}");
    }
}

#[test]
fn none_is_nil_and_an_empty_list_is_remembered() {
    let lua = Lua::new();
    assert!(lua.to_value_with(&Option::<u8>::None, value::options()).unwrap().is_nil());
    assert!(lua.to_value_with(&(), value::options()).unwrap().is_nil());
    let list = lua.to_value_with(&Vec::<u8>::new(), value::options()).unwrap();
    let back: serde_json::Value = lua.from_value(list).unwrap();
    assert_eq!(back.to_string(), "[]");
}

#[test]
fn bytes_survive_in_both_directions() {
    use moonstack::base::argument::Bytes;
    let lua = Lua::new();
    let odd = Bytes(b"\xff\0a\xc3".to_vec());
    let value = lua.to_value_with(&odd, value::options()).unwrap();
    assert_eq!(value.as_string().unwrap().as_bytes().as_ref(), b"\xff\0a\xc3");
    assert_eq!(lua.from_value::<Bytes>(value).unwrap(), odd);
}

#[test]
fn a_table_with_items_loses_its_names_so_they_are_looked_for_before() {
    let lua = Lua::new();
    let table = |text: &str| lua.load(format!("return {text}")).eval::<Table>().unwrap();
    let read: Vec<u8> = lua.from_value(Value::Table(table("{ 1, 2, name = 3 }"))).unwrap();
    assert_eq!(read, [1, 2], "mlua keeps the names now: is_mixed can go");
    for text in ["{ 1, 2, name = 3 }", "{ a = { { 1, x = 2 } } }", "{ 1, [7] = 2 }"] {
        assert!(extent::is_mixed(&table(text)).unwrap(), "{text}");
    }
    for text in ["{}", "{ 1, 2 }", "{ 1, nil, 3 }", "{ a = 1, b = { 1, 2 } }"] {
        assert!(!extent::is_mixed(&table(text)).unwrap(), "{text}");
    }
}

#[test]
fn a_plain_thread_is_left_alone_by_the_pending_marker() {
    let lua = Lua::new();
    let thread: Thread = lua.create_thread(function(&lua, "coroutine.yield(1) return 2")).unwrap();
    assert_eq!(thread.resume::<u8>(()).unwrap(), 1);
    assert_eq!(thread.resume::<MultiValue>(()).unwrap().len(), 1);
}
