use std::collections::BTreeSet;

use super::*;

/// A route that names no right would be one that nobody thought about.
#[test]
fn the_routes_and_the_table_of_needed_rights_name_each_other() {
    let (_, mut document) = documented();
    let mut routes = BTreeSet::new();
    for (path, item) in &mut document.paths.paths {
        let below = path.strip_prefix(API_PREFIX).unwrap_or(path);
        routes.extend(documents::operations(item).map(|(method, _)| format!("{method} {below}")));
    }
    let named: BTreeSet<_> = rights::NEEDED.iter().map(|(method, path, _)| format!("{method} {path}")).collect();
    assert_eq!(named.len(), rights::NEEDED.len(), "a route stands twice");
    let without_right: Vec<_> = routes.difference(&named).collect();
    let without_route: Vec<_> = named.difference(&routes).collect();
    assert!(without_right.is_empty() && without_route.is_empty(), "{without_right:?} {without_route:?}");
}
