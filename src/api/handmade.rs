//! What takes functions or gives handles, and so is bound by hand: declared here with a signature, so that help,
//! stub and page still come from one place. A test holds binding and declaration together.

use super::Registry;

/// A declaration without a schema.
pub struct Handmade {
    /// `module.function`, or a bare global.
    pub path: &'static str,
    /// In the stub's notation.
    pub signature: &'static str,
    pub doc: &'static str,
    pub example: &'static str,
}

impl Handmade {
    pub fn module(&self) -> &'static str {
        self.path.split_once('.').map_or("", |(module, _)| module)
    }

    pub fn name(&self) -> &'static str {
        self.path.split_once('.').map_or(self.path, |(_, name)| name)
    }
}

const ALL: &[Handmade] = &[
    Handmade {
        path: "task.all",
        signature: "fun(tasks: function[], options?: { limit?: integer }): any[]",
        doc: "Runs functions together and gives their results in order. The first failure cancels the others, \
              waits for their cleanup and is raised.",
        example: "task.all{ function() return 1 end, function() return 2 end }",
    },
    Handmade {
        path: "task.map",
        signature: "fun(items: any[], each: fun(item: any, index: integer): any, options?: { limit?: integer }): any[]",
        doc: "Calls a function for each item, several at a time (`limit`, 8 by default), results in order. \
              About fifty levels of nesting fit on the C stack.",
        example: "task.map({ 1, 2, 3 }, function(n) return n * 2 end, { limit = 2 })",
    },
    Handmade {
        path: "task.race",
        signature: "fun(tasks: function[]): any",
        doc: "Gives the first success and cancels the others; raises the last failure if all fail.",
        example: "task.race{ function() time.sleep(\"1s\") end, function() return \"quick\" end }",
    },
    Handmade {
        path: "task.timeout",
        signature: "fun(limit: string|number, work: fun(): any): any",
        doc: "Runs a function and raises an error of kind `timeout` if it is not done in time.",
        example: "task.timeout(\"10s\", function() return 1 end)",
    },
    Handmade {
        path: "task.group",
        signature: "fun(body: fun(group: { spawn: fun(work: function) })): any",
        doc: "Open-ended: the body may start tasks with `group.spawn(f)`; the call returns when all have ended.",
        example: "task.group(function(g) g.spawn(function() time.sleep(\"1ms\") end) end)",
    },
    Handmade {
        path: "task.settle",
        signature: "fun(items: any[], each: fun(item: any, index: integer): any, options?: { limit?: integer }): { ok: any, error: any }[]",
        doc: "Like `task.map`, but never fails: a list of `{ ok = … }` or `{ error = … }`.",
        example: "task.settle({ 1, 2 }, function(n) if n == 2 then fail(\"refused\", \"two\") end return n end)",
    },
    Handmade {
        path: "check.define",
        signature: "fun(definition: { name: string, doc: string, needs?: string[], timeout?: string, run: fun(options: table): table|table[] })",
        doc: "Defines a check of this site. `run` gives a finding, or a list of them: `{ status = \"pass\" | \"warn\" | \
              \"fail\" | \"skipped\", message = …, fix = …, measure = …, reference = … }`.",
        example: "check.define{ name = \"answer\", doc = \"The answer is known.\", run = function() return { status = \"pass\", message = \"42\" } end }",
    },
    Handmade {
        path: "check.run",
        signature: "fun(options?: { only?: string[], skip?: string[], thresholds?: table, timeout?: string }): table[]",
        doc: "Runs the built-in and defined checks side by side, each on its own time limit, and gives their findings.",
        example: "check.run{ only = { \"spack\" } }",
    },
    Handmade {
        path: "run.step",
        signature: "fun(name: string, options: { needs?: string[], inputs?: any, files?: string[], check?: (fun(result: any): boolean), always?: boolean }, body: fun(): any): any",
        doc: "Runs a step now and gives its result. The journal keeps it: when the run is resumed, a step that has ended \
              well is not run again while its `inputs`, the content of its `files`, its own text and what it left behind \
              are as they were (and `check` says true); its result is given again. `needs` names steps that must have \
              ended well, or this one is skipped; with `always` it runs all the same.",
        example: "run.step(\"count\", { inputs = { \"/tmp\" } }, function() return #fs.list(\"/tmp\") end)",
    },
    Handmade {
        path: "run.steps",
        signature: "fun(steps: table[], options?: { limit?: integer }): table<string, any>",
        doc: "Runs a list of steps, `{ name = …, needs = …, run = function(results) … end }` each: those that wait for no \
              other side by side, at most `limit` (8) at once. `results` has what the steps before gave, by name.",
        example: "run.steps{ { name = \"a\", run = function() return 1 end }, { name = \"b\", needs = { \"a\" }, run = function(r) return r.a + 1 end } }",
    },
    Handmade {
        path: "run.compensate",
        signature: "fun(undo: fun())",
        doc: "Says how to take back what the current step has done. When the step fails or is cancelled its compensations \
              run, newest first; under `on_fail = \"roll_back\"` then those of the steps before it, also of those that a \
              resumed run has kept. Outside of steps: when the run fails.",
        example: "run.compensate(function() log.info(\"taken back\") end)",
    },
    Handmade {
        path: "run.id",
        signature: "fun(): integer",
        doc: "The number of the run, as `moonstack runs` shows it. A plan has none yet: there it is a number that stands for \
              it, in names and texts, and `moonstack apply` fills in the real one.",
        example: "run.id()",
    },
    Handmade {
        path: "run.undo",
        signature: "fun(steps: string[])",
        doc: "Takes back these steps now, the newest first: their compensations run, and they count as undone, so that a run \
              that is resumed does them again. What a script is about to take back by itself, as with `snapshot.restore`, it \
              names here first. A compensation that was cut short runs again when the run is resumed.",
        example: "run.step(\"write\", function() run.compensate(function() fs.remove(\"note\") end) fs.write(\"note\", \"x\") end) run.undo{ \"write\" }",
    },
    Handmade {
        path: "run.planned",
        signature: "fun(): boolean",
        doc: "Whether this is only planned: what programs would leave behind is not there then.",
        example: "if not run.planned() then print(\"for real\") end",
    },
    Handmade {
        path: "defer",
        signature: "fun(cleanup: fun(), limit?: string): any",
        doc: "`local _ <close> = defer(function() … end)` runs the function when the block ends, also after an error \
              or a cancel. Once cancelled it may take 30 seconds, or as long as `limit` says (`\"5m\"`).",
        example: "do local _ <close> = defer(function() end) end",
    },
    Handmade {
        path: "fail",
        signature: "fun(kind: string, message: string, facts?: table, hint?: string)",
        doc: "Raises an error with a kind, a message, facts and a hint.",
        example: "pcall(fail, \"refused\", \"not today\")",
    },
    Handmade {
        path: "workflow",
        signature: "fun(declaration: table): table",
        doc: "Declares a script as a workflow: `name`, `doc`, `options`, `run`, `lock` and `on_fail`, which is `\"stop\"`, \
              `\"keep_going\"`, `\"roll_back\"` or a function that gives one of them for the options. The script returns it.",
        example: "workflow{ name = \"w\", doc = \"Does nothing.\", options = {}, run = function(o) end }",
    },
    Handmade {
        path: "help",
        signature: "fun(what?: any): nil",
        doc: "Prints the documentation of a function, a module or a name.",
        example: "help(\"fs.read\")",
    },
];

pub fn declare(registry: &mut Registry) {
    for handmade in ALL {
        registry.add_handmade(Handmade { ..*handmade });
    }
}
