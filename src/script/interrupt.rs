//! A script that computes without ever waiting can be stopped, too.

use mlua::debug::{Debug, HookTriggers};
use mlua::{Lua, Result, VmState};

use super::error::raise;
use crate::base::Trouble;
use crate::world::cancel::Cancel;

pub fn install(lua: &Lua) -> Result<()> {
    lua.set_global_hook(HookTriggers::new().every_nth_instruction(10_000), |_, debug| {
        if Cancel::current().is_some_and(|scope| scope.is_cancelled()) && is_of_a_script(debug) {
            return Err(raise(Trouble::cancelled()));
        }
        Ok(VmState::Continue)
    })
}

/// A script's own work may be stopped anywhere. What is ours may not: stopped where it waits for tasks that clean up,
/// or where it runs compensations, it would leave them half done.
fn is_of_a_script(debug: &Debug) -> bool {
    let source = debug.source().source;
    source.is_some_and(|name| name.starts_with('@') && !name.starts_with("@moonstack/"))
}
