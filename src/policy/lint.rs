//! What can be known of an expression before any facts are there: names that do not exist, and comparisons that
//! can only come out one way. Rhai finds the first at evaluation and the second never.

use std::collections::BTreeMap;

use rhai::{AST, ASTNode, Expr, FnCallExpr, Position};

use super::facts::Type;
use super::flaw::Flaw;

/// What a function gives.
#[derive(Clone, Copy)]
enum Gives {
    Number,
    Text,
    Flag,
    Any,
}

/// The functions that an expression may call by what they are for, and no others: what changes a value or takes a
/// function is of no use to one.
const FUNCTIONS: &[(&str, &[(&str, Gives)])] = &[
    (
        "numbers",
        &[
            ("abs", Gives::Number),
            ("ceiling", Gives::Number),
            ("exp", Gives::Number),
            ("floor", Gives::Number),
            ("ln", Gives::Number),
            ("log", Gives::Number),
            ("max", Gives::Any),
            ("min", Gives::Any),
            ("round", Gives::Number),
            ("sign", Gives::Number),
            ("sqrt", Gives::Number),
            ("to_float", Gives::Number),
            ("to_int", Gives::Number),
        ],
    ),
    (
        "texts",
        &[
            ("ends_with", Gives::Flag),
            ("parse_float", Gives::Number),
            ("parse_int", Gives::Number),
            ("split", Gives::Any),
            ("starts_with", Gives::Flag),
            ("sub_string", Gives::Text),
            ("to_lower", Gives::Text),
            ("to_string", Gives::Text),
            ("to_upper", Gives::Text),
        ],
    ),
    (
        "texts and lists",
        &[
            ("contains", Gives::Flag),
            ("index_of", Gives::Number),
            ("is_empty", Gives::Flag),
            ("len", Gives::Number),
        ],
    ),
    ("tables", &[("get", Gives::Any), ("keys", Gives::Any), ("values", Gives::Any)]),
];

/// The functions by what they are for, for help.
pub fn functions() -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
    FUNCTIONS.iter().map(|(group, functions)| (*group, functions.iter().map(|(name, _)| *name).collect()))
}

fn names() -> impl Iterator<Item = &'static str> {
    functions().flat_map(|(_, names)| names)
}

/// Finds the first fault of an expression over facts of these types.
pub fn lint(
    ast: &AST,
    types: &BTreeMap<String, Type>,
    place: &dyn Fn(Position) -> Option<usize>,
) -> Option<Flaw> {
    let linter = Linter { types, place };
    let mut found = None;
    ast.walk(&mut |path: &[ASTNode]| {
        if let [.., ASTNode::Expr(expr)] = path {
            let before = match path {
                [.., ASTNode::Expr(before), _] => Some(*before),
                _ => None,
            };
            found = linter.fault(expr, before);
        }
        found.is_none()
    });
    found
}

struct Linter<'a> {
    types: &'a BTreeMap<String, Type>,
    /// Bytes before a position of Rhai's.
    place: &'a dyn Fn(Position) -> Option<usize>,
}

impl Linter<'_> {
    fn fault(&self, expr: &Expr, parent: Option<&Expr>) -> Option<Flaw> {
        match expr {
            Expr::FnCall(call, at) | Expr::MethodCall(call, at) => self.call(call, *at),
            // The rest of a chain is seen together with its beginning.
            Expr::Dot(chain, ..) if !continues(parent, expr) => {
                self.chain(&self.type_of(&chain.lhs), &chain.rhs).err()
            }
            Expr::And(parts, at) => self.flags("&&", parts, *at),
            Expr::Or(parts, at) => self.flags("||", parts, *at),
            _ => None,
        }
    }

    fn call(&self, call: &FnCallExpr, at: Position) -> Option<Flaw> {
        let name = call.name.as_str();
        match (name, call.args.as_slice()) {
            // `in` becomes this call, with its sides exchanged.
            ("contains", [Expr::Array(items, _), needle]) => {
                return items.iter().find_map(|item| self.compared("==", needle, item, item.position()));
            }
            ("==" | "!=" | "<" | "<=" | ">" | ">=", [left, right]) => {
                return self.compared(name, left, right, at);
            }
            _ if call.is_operator_call() => return None,
            _ => {}
        }
        if names().any(|known| known == name) {
            return None;
        }
        let flaw = Flaw::new(format!("there is no function '{name}'"), (self.place)(at));
        Some(if self.types.contains_key(name) {
            flaw.named(name).hint(format!("'{name}' is a fact: write it without brackets"))
        } else {
            flaw.nearest(name, names()).hint("`moonstack docs policy` lists the functions")
        })
    }

    /// Follows `a.b.c`: properties of tables must exist.
    fn chain(&self, of: &Type, rest: &Expr) -> Result<Type, Flaw> {
        match rest {
            Expr::Dot(inner, ..) => {
                let of = self.chain(of, &inner.lhs)?;
                self.chain(&of, &inner.rhs)
            }
            Expr::Property(property, at) => {
                let name = property.2.as_str();
                let flaw = |message: String| Flaw::new(message, (self.place)(*at)).named(name);
                match of {
                    Type::Any => Ok(Type::Any),
                    Type::Table(fields) => fields.get(name).cloned().ok_or_else(|| {
                        flaw(format!("'{name}' does not exist there"))
                            .nearest(name, fields.keys().map(String::as_str))
                    }),
                    Type::Text(_) | Type::List(_) if name == "len" => Ok(Type::Number),
                    Type::Text(_) | Type::List(_) if name == "is_empty" => Ok(Type::Flag),
                    other if names().any(|f| f == name) => Err(flaw(format!(
                        "'{name}' is a function, and {} has no property of that name",
                        other.name()
                    ))
                    .hint(format!("write '{name}()'"))),
                    other => Err(flaw(format!("{} has no property '{name}'", other.name()))),
                }
            }
            Expr::MethodCall(call, _) => Ok(given(call.name.as_str())),
            _ => Ok(Type::Any),
        }
    }

    fn compared(&self, operator: &str, left: &Expr, right: &Expr, at: Position) -> Option<Flaw> {
        let (a, b) = (self.type_of(left), self.type_of(right));
        let always = if operator == "!=" { "true" } else { "false" };
        if a.differs(&b) {
            let message = format!("{} is compared with {}, which is always {always}", a.name(), b.name());
            let flaw = Flaw::new(message, (self.place)(at));
            return Some(match [(left, &b), (right, &a)].into_iter().find_map(|(e, t)| quoted(e, t)) {
                Some(bare) => flaw.hint(format!("write {bare} without quotes")),
                None => flaw,
            });
        }
        if !matches!(operator, "==" | "!=") {
            return None;
        }
        [(&a, right), (&b, left)].into_iter().find_map(|(kind, expr)| {
            let (Type::Text(words), Expr::StringConstant(word, at)) = (kind, expr) else { return None };
            if words.is_empty() || words.iter().any(|w| w == word.as_str()) {
                return None;
            }
            let known = words.iter().map(String::as_str).filter(|w| !w.is_empty());
            let message = format!("it is never \"{word}\", so this is always {always}");
            Some(Flaw::new(message, (self.place)(*at)).nearest(word, known))
        })
    }

    fn flags(&self, operator: &str, parts: &[Expr], at: Position) -> Option<Flaw> {
        let wrong = parts.iter().map(|p| (p, self.type_of(p))).find(|(_, t)| t.differs(&Type::Flag))?;
        let at = if wrong.0.position().is_none() { at } else { wrong.0.start_position() };
        Some(Flaw::new(
            format!("'{operator}' joins what is true or false, and this is {}", wrong.1.name()),
            (self.place)(at),
        ))
    }

    fn type_of(&self, expr: &Expr) -> Type {
        match expr {
            Expr::BoolConstant(..) | Expr::And(..) | Expr::Or(..) => Type::Flag,
            Expr::IntegerConstant(..) | Expr::FloatConstant(..) => Type::Number,
            Expr::StringConstant(..) | Expr::InterpolatedString(..) => Type::Text(Vec::new()),
            Expr::Array(..) => Type::List(Box::new(Type::Any)),
            Expr::Variable(variable, ..) => self.types.get(variable.1.as_str()).cloned().unwrap_or(Type::Any),
            Expr::Dot(chain, ..) => self.chain(&self.type_of(&chain.lhs), &chain.rhs).unwrap_or(Type::Any),
            Expr::FnCall(call, _) => self.type_of_call(call),
            _ => Type::Any,
        }
    }

    fn type_of_call(&self, call: &FnCallExpr) -> Type {
        match (call.is_operator_call(), call.name.as_str()) {
            (true, "==" | "!=" | "<" | "<=" | ">" | ">=" | "!") => Type::Flag,
            (true, "-" | "*" | "/" | "%" | "**") => Type::Number,
            (true, "+") => {
                let kinds: Vec<Type> = call.args.iter().map(|a| self.type_of(a)).collect();
                if kinds.iter().any(|k| matches!(k, Type::Text(_))) {
                    Type::Text(Vec::new())
                } else if kinds.iter().all(|k| *k == Type::Number) {
                    Type::Number
                } else {
                    Type::Any
                }
            }
            (true, _) => Type::Any,
            (false, name) => given(name),
        }
    }
}

/// Whether `expr` is the rest of the chain that its parent is.
fn continues(parent: Option<&Expr>, expr: &Expr) -> bool {
    matches!(parent, Some(Expr::Dot(chain, ..)) if std::ptr::eq(&raw const chain.rhs, expr))
}

fn given(function: &str) -> Type {
    match FUNCTIONS.iter().flat_map(|(_, f)| *f).find(|(name, _)| *name == function) {
        Some((_, Gives::Number)) => Type::Number,
        Some((_, Gives::Text)) => Type::Text(Vec::new()),
        Some((_, Gives::Flag)) => Type::Flag,
        Some((_, Gives::Any)) | None => Type::Any,
    }
}

/// A number or boolean in quotes that was meant without.
fn quoted<'a>(expr: &'a Expr, wanted: &Type) -> Option<&'a str> {
    let Expr::StringConstant(text, _) = expr else { return None };
    let meant = match wanted {
        Type::Number => text.parse::<f64>().is_ok(),
        Type::Flag => matches!(text.as_str(), "true" | "false"),
        _ => false,
    };
    meant.then_some(text.as_str())
}
