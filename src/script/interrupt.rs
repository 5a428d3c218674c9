//! A script that computes without ever waiting can be stopped, too.

use std::ffi::c_int;
use std::sync::Arc;

use mlua::{Function, Lua, Result, ffi};

use crate::base::{Trouble, chunk_names};
use crate::script::pulse::Pulse;
use crate::script::value::error::raise;
use crate::world::scope::cancel::Cancel;

/// Lua instructions from one look to the next.
const EVERY: c_int = 10_000;

/// Where the function that looks is kept for Lua.
const LOOK: &str = "moonstack.look";

/// What our own texts do is never stopped half-way where it waits for tasks that clean up, runs a step's
/// compensations, or is about to clean up.
const WHOLE: &[&str] = &["run", "cleanup"];

/// For our own texts that are not stopped: raises if the scope has been cancelled.
pub fn look(lua: &Lua) -> Result<Function> {
    lua.create_function(|_, ()| if is_cancelled() { Err(raise(Trouble::cancelled())) } else { Ok(()) })
}

/// An error that mlua's own hook returns clears the frame of the function that was interrupted, and its
/// to-be-closed variables with it, where no cleanup may wait. Raised by a function that the hook calls, it unwinds
/// as every error does.
#[allow(unsafe_code)]
pub fn install(lua: &Lua, pulse: Arc<Pulse>) -> Result<()> {
    let stop = lua.create_function(move |lua, ()| {
        pulse.beat();
        if is_cancelled() && may_stop(lua) { Err(raise(Trouble::cancelled())) } else { Ok(()) }
    })?;
    lua.set_named_registry_value(LOOK, stop)?;
    // SAFETY: it sets the hook and leaves the stack as it was. Threads made from here on inherit the hook.
    unsafe { lua.exec_raw((), |state| ffi::lua_sethook(state, Some(call), ffi::LUA_MASKCOUNT, EVERY)) }
}

/// Calls the function that looks.
#[allow(unsafe_code)]
unsafe extern "C-unwind" fn call(state: *mut ffi::lua_State, _: *mut ffi::lua_Debug) {
    // SAFETY: Lua keeps room for a hook's values, the registry has the function for as long as the machine lives,
    // and an error leaves this frame, which holds nothing, as it leaves mlua's own.
    unsafe {
        ffi::lua_getfield(state, ffi::LUA_REGISTRYINDEX, c"moonstack.look".as_ptr());
        ffi::lua_call(state, 0, 0);
    }
}

fn is_cancelled() -> bool {
    Cancel::current().is_some_and(|scope| scope.is_cancelled())
}

/// Whether what called the hook may be stopped there.
fn may_stop(lua: &Lua) -> bool {
    let source = lua.inspect_stack(1, |debug| debug.source().source.map(std::borrow::Cow::into_owned));
    source.flatten().is_none_or(|name| {
        name != "=__mlua_async_poll" && !WHOLE.iter().any(|whole| name == chunk_names::chunk(whole))
    })
}
