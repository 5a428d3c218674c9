//! What `check.lua` needs of the machine: those who watch are told of its checks as of the built-in ones.

use mlua::{Lua, Result, Table};

use crate::site::Cx;
use crate::world::Event;

pub fn install(lua: &Lua, host: &Table, cx: &Cx) -> Result<()> {
    let world = cx.world.clone();
    host.raw_set(
        "check_begun",
        lua.create_function(move |_, name: String| {
            world.tell(Event::CheckStarted { name });
            Ok(())
        })?,
    )?;
    let world = cx.world.clone();
    host.raw_set(
        "check_ended",
        lua.create_function(move |_, (name, status, seconds): (String, String, f64)| {
            world.tell(Event::CheckFinished { name, status, seconds });
            Ok(())
        })?,
    )
}
