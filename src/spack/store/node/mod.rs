//! A concrete node as Spack writes it, read from JSON with borrowed text: every shape that databases 5 to 8 and lock
//! files 1 to 6 hold. Keys that no known shape has are kept by name, for the reader to judge. No hash is recomputed
//! here.

pub(crate) mod parts;

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::spack::spec::FLAG_NAMES;

/// Text that is borrowed from the file wherever it holds no escapes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Text<'a>(pub Cow<'a, str>);

impl std::ops::Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    Bool(bool),
    Text(Text<'a>),
    List(Vec<Text<'a>>),
}

#[derive(Debug, Clone, Default)]
pub struct Arch<'a> {
    pub platform: Option<Text<'a>>,
    pub os: Option<Text<'a>>,
    pub target: Option<Text<'a>>,
}

#[derive(Debug, Clone, Default)]
pub struct External<'a> {
    pub path: Option<Text<'a>>,
    pub modules: Vec<Text<'a>>,
    /// `extra_attributes.compilers`: language and executable.
    pub compilers: Vec<(Text<'a>, Text<'a>)>,
}

/// What a dependency is needed for: a bit for each of `EDGE_TYPES`. A file holds ten edges a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EdgeTypes(u8);

/// In Spack's order.
const EDGE_TYPES: [&str; 4] = ["build", "link", "run", "test"];

impl EdgeTypes {
    pub fn has(self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }

    pub fn names(self) -> impl Iterator<Item = &'static str> {
        EDGE_TYPES.into_iter().enumerate().filter(move |(at, _)| self.0 & 1 << at != 0).map(|(_, name)| name)
    }
}

impl Serialize for EdgeTypes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.names())
    }
}

impl<'de> Deserialize<'de> for EdgeTypes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TypesVisitor;
        impl<'de> Visitor<'de> for TypesVisitor {
            type Value = EdgeTypes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("types of a dependency")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<EdgeTypes, A::Error> {
                let mut types = 0;
                while let Some(name) = seq.next_element::<Text<'de>>()? {
                    let Some(at) = EDGE_TYPES.iter().position(|known| **known == *name) else {
                        return Err(A::Error::custom(format!("'{name}' is no type of a dependency")));
                    };
                    types |= 1 << at;
                }
                Ok(EdgeTypes(types))
            }
        }
        deserializer.deserialize_seq(TypesVisitor)
    }
}

#[derive(Debug, Clone, Default)]
pub struct Dependency<'a> {
    pub name: Text<'a>,
    pub hash: Text<'a>,
    pub types: EdgeTypes,
    pub virtuals: Vec<Text<'a>>,
    pub direct: bool,
}

impl Dependency<'_> {
    pub fn has_type(&self, name: &str) -> bool {
        self.types.has(name)
    }

    pub fn provides(&self, name: &str) -> bool {
        self.virtuals.iter().any(|v| &**v == name)
    }
}

/// Name and version of a compiler that is no node of its own.
#[derive(Debug, Clone)]
pub struct NodeCompiler<'a> {
    pub name: Text<'a>,
    pub version: Text<'a>,
}

#[derive(Debug, Clone, Default)]
pub struct Node<'a> {
    pub name: Text<'a>,
    pub version: Text<'a>,
    pub arch: Arch<'a>,
    pub namespace: Option<Text<'a>>,
    /// Up to format 4, or what a converted node kept of it.
    pub compiler: Option<NodeCompiler<'a>>,
    /// Variants and flags, in the order of the file.
    pub parameters: Vec<(Text<'a>, Value<'a>)>,
    pub external: Option<External<'a>>,
    pub patches: Vec<Text<'a>>,
    pub package_hash: Option<Text<'a>>,
    pub dependencies: Vec<Dependency<'a>>,
    /// Hash of what this node was built as, where it is spliced.
    pub build_spec: Option<Text<'a>>,
    /// The specfile version that the node was first written in.
    pub original_format: Option<u64>,
    pub hash: Option<Text<'a>>,
    /// Keys that no known format has.
    pub unknown_keys: Vec<Text<'a>>,
}

impl<'a> Node<'a> {
    /// Reads one node; nodes of formats 1 stand under their name as the only key.
    pub fn from_json(text: &'a str) -> Result<Node<'a>, serde_json::Error> {
        let node: Node<'a> = match serde_json::from_str::<Node<'a>>(text) {
            Ok(node) => node,
            Err(error) => match serde_json::from_str::<Named<'a>>(text) {
                Ok(Named(node)) => node,
                Err(_) => return Err(error),
            },
        };
        Ok(node)
    }

    pub fn variants(&self) -> impl Iterator<Item = &(Text<'a>, Value<'a>)> {
        self.parameters.iter().filter(|(name, _)| !FLAG_NAMES.contains(&&**name))
    }

    pub fn variant(&self, name: &str) -> Option<&Value<'a>> {
        self.variants().find(|(n, _)| &**n == name).map(|(_, value)| value)
    }

    /// The flags of that name, none where there are none.
    pub fn flags(&self, name: &str) -> &[Text<'a>] {
        match self.parameters.iter().find(|(n, _)| &**n == name) {
            Some((_, Value::List(flags))) => flags,
            _ => &[],
        }
    }

    /// The compiler is a key of the node, not a dependency.
    pub fn has_compiler_key(&self) -> bool {
        self.original_format.is_none_or(|v| v < 5)
    }
}

/// A node of format 1, under its name.
struct Named<'a>(Node<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Named<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NamedVisitor;
        impl<'de> Visitor<'de> for NamedVisitor {
            type Value = Named<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a node under its name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named<'de>, A::Error> {
                let Some(name) = map.next_key::<Text<'de>>()? else {
                    return Err(A::Error::custom("the node is empty"));
                };
                let mut node = map.next_value::<Body<'de>>()?.0;
                node.name = name;
                if map.next_key::<Text<'de>>()?.is_some() {
                    return Err(A::Error::custom("the node has two names"));
                }
                Ok(Named(node))
            }
        }
        deserializer.deserialize_map(NamedVisitor)
    }
}

/// A node whose name may stand elsewhere.
struct Body<'a>(Node<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Body<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(NodeVisitor).map(Body)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Node<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let node = deserializer.deserialize_map(NodeVisitor)?;
        if node.name.is_empty() {
            return Err(D::Error::missing_field("name"));
        }
        if node.version.is_empty() {
            return Err(D::Error::missing_field("version"));
        }
        Ok(node)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a node of a spec")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node<'de>, A::Error> {
        let mut node = Node::default();
        let mut seen: Vec<Text<'de>> = Vec::with_capacity(12);
        while let Some(key) = map.next_key::<Text<'de>>()? {
            if seen.contains(&key) {
                return Err(A::Error::custom(format!("the key '{key}' stands twice in one node")));
            }
            read_key(&mut node, &key, &mut map)?;
            seen.push(key);
        }
        Ok(node)
    }
}

fn read_key<'de, A: MapAccess<'de>>(
    node: &mut Node<'de>,
    key: &Text<'de>,
    map: &mut A,
) -> Result<(), A::Error> {
    use parts as part;
    match &**key {
        "name" => node.name = map.next_value()?,
        "version" => node.version = map.next_value()?,
        "versions" => {
            let versions: Vec<Text<'de>> = map.next_value()?;
            node.version = versions.into_iter().next().unwrap_or_default();
        }
        "arch" => node.arch = map.next_value::<part::ArchPart<'de>>()?.0,
        "compiler" => node.compiler = map.next_value::<Option<part::CompilerPart<'de>>>()?.map(|c| c.0),
        "namespace" => node.namespace = map.next_value()?,
        "parameters" => node.parameters = map.next_value::<part::Parameters<'de>>()?.0,
        "external" => node.external = map.next_value::<Option<part::ExternalPart<'de>>>()?.map(|e| e.0),
        "patches" => node.patches = map.next_value()?,
        "package_hash" => node.package_hash = map.next_value()?,
        "dependencies" => node.dependencies = map.next_value::<part::Dependencies<'de>>()?.0,
        "build_spec" => node.build_spec = Some(map.next_value::<part::BuildSpec<'de>>()?.hash),
        "annotations" => {
            let annotations: part::Annotations<'de> = map.next_value()?;
            node.original_format = annotations.original_specfile_version;
            if let Some(compiler) = annotations.compiler {
                node.compiler = Some(part::compiler_of(&compiler));
            }
        }
        "hash" => node.hash = map.next_value()?,
        // Of formats 1 to 3, and of nodes that are not concrete.
        "full_hash" | "build_hash" | "concrete" | "provides" | "external_modules" | "propagate"
        | "abstract" => {
            map.next_value::<IgnoredAny>()?;
        }
        _ => {
            map.next_value::<IgnoredAny>()?;
            node.unknown_keys.push(key.clone());
        }
    }
    Ok(())
}

/// Reads a list whatever its members are called.
pub(in crate::spack) fn sequence<'de, A: SeqAccess<'de>, T: Deserialize<'de>>(
    mut seq: A,
) -> Result<Vec<T>, A::Error> {
    let mut out = Vec::new();
    while let Some(item) = seq.next_element()? {
        out.push(item);
    }
    Ok(out)
}
