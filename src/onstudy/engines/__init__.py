"""What an Expr means, computed: `memory` says why for one patient; `windows` says on which days."""
