//! A script that computes without ever waiting can be stopped, too.

use mlua::debug::{Debug, HookTriggers};
use mlua::{Lua, Result, VmState};

use super::error::raise;
use super::ours;
use crate::base::Trouble;
use crate::world::cancel::Cancel;

pub fn install(lua: &Lua) -> Result<()> {
    lua.set_global_hook(HookTriggers::new().every_nth_instruction(10_000), |_, debug| {
        if Cancel::current().is_some_and(|scope| scope.is_cancelled()) && may_stop(debug) {
            return Err(raise(Trouble::cancelled()));
        }
        Ok(VmState::Continue)
    })
}

/// A script's own work may be stopped anywhere. What waits for tasks that clean up may not, and neither what runs a
/// step's compensations: stopped there, they would be left half done.
fn may_stop(debug: &Debug) -> bool {
    let source = debug.source().source;
    source.is_none_or(|name| name != "=__mlua_async_poll" && name != ours::chunk("run"))
}
