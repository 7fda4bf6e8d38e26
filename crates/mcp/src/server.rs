//! The protocol's end: which tools there are, and a call of one.

use std::fmt;
use std::sync::Arc;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData, Implementation, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{RoleServer, ServerHandler};

use crate::definitions;
use crate::swarm::{Entrance, Refusal};

/// Serves the tools to one client. It keeps nothing between two calls: who asks is found out each time.
#[derive(Clone)]
pub struct SwarmServer {
    entrance: Arc<dyn Entrance>,
}

impl fmt::Debug for SwarmServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SwarmServer")
    }
}

impl SwarmServer {
    /// Serves whoever comes in there.
    pub fn new(entrance: Arc<dyn Entrance>) -> Self {
        Self { entrance }
    }

    async fn carry_out(
        &self,
        request: CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        let unknown = || ErrorData::invalid_params(format!("there is no tool \"{}\"", request.name), None);
        if definitions::named(&request.name).is_none() {
            return Err(unknown());
        }
        let swarm = match self.entrance.enter(&context.extensions).await {
            Ok(swarm) => swarm,
            Err(refusal) => return Ok(refused(&refusal)),
        };
        let arguments = request.arguments.clone().unwrap_or_default();
        match definitions::call(&*swarm, &request.name, arguments, context).await {
            Some(Ok(answer)) => Ok(CallToolResult::structured(answer)),
            Some(Err(refusal)) => Ok(refused(&refusal)),
            None => Err(unknown()),
        }
    }
}

/// What the model is told, so that it can do something about it. An error of the protocol would not reach it.
fn refused(refusal: &Refusal) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(refusal.to_string())])
}

impl ServerHandler for SwarmServer {
    fn get_info(&self) -> ServerConfig {
        let us = Implementation::new("garageswarm", env!("CARGO_PKG_VERSION")).with_title("GarageSwarm");
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(us)
            .with_instructions(definitions::INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(definitions::all()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        definitions::named(name)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        Box::pin(self.carry_out(request, &context)).await.map(CallToolResponse::from)
    }
}
