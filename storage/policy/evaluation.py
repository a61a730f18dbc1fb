"""What a policy says of one request (IAM user guide, "Policy evaluation logic")."""

from __future__ import annotations

from dataclasses import dataclass

from . import operators
from .grammar import Condition, Policy, Statement
from .patterns import Values
from .principals import Caller, Grant, concerns, grants


@dataclass(frozen=True, slots=True)
class Question:
    """`action` is `s3:GetObject` in whatever case, `resource` `bucket` or `bucket/key`."""

    caller: Caller
    action: str
    resource: str
    values: Values


@dataclass(frozen=True, slots=True)
class Verdict:
    """The statement that denies, else the ones that allow; both None: the policy does not say.

    `person` allows the caller as such, `tenant` all of the caller's tenant.
    """

    denied: Statement | None = None
    person: Statement | None = None
    tenant: Statement | None = None


def evaluate(policy: Policy, question: Question, tenant: str) -> Verdict:
    """What the policy of a bucket of `tenant` (a slug) answers. An explicit Deny wins."""
    person = whole = None
    for statement in policy.statements:
        principals = statement.principals
        assert principals is not None
        if statement.effect == "Deny":
            if concerns(principals, question.caller, tenant) and applies(statement, question):
                return Verdict(denied=statement)
            continue
        grant = grants(principals, question.caller, tenant)
        if grant is Grant.NONE or (person and (whole or grant is Grant.PERSON)):
            continue
        if applies(statement, question):
            if grant is Grant.PERSON:
                person = statement
            else:
                whole = whole or statement
    return Verdict(None, person, whole)


def session_allows(policy: Policy, question: Question) -> bool:
    """Whether the policy of a session lets through what its caller may do otherwise."""
    allowed = False
    for statement in policy.statements:
        if applies(statement, question):
            if statement.effect == "Deny":
                return False
            allowed = True
    return allowed


def applies(statement: Statement, question: Question) -> bool:
    """Whether a statement is about this action, resource and moment, whoever asks."""
    if question.action.lower() not in statement.actions:
        return False
    values = question.values
    if any(p.matches(question.resource, values) for p in statement.resources) == statement.not_resources:
        return False
    return all(holds(condition, values) for condition in statement.conditions)


def holds(condition: Condition, values: Values) -> bool:
    """Whether one condition is met."""
    given = values(condition.key)
    if condition.operator is None:
        return (given is None) in condition.null
    operator, quantifier = condition.operator, condition.quantifier
    if given is None:
        if condition.if_exists:
            return True
        if quantifier:
            return quantifier == "ForAllValues"
        return operator.negated
    met = [operators.meets(operator, value, condition.wanted, values) for value in given]
    if not quantifier:
        return any(met) != operator.negated
    wanted = [one != operator.negated for one in met]
    return any(wanted) if quantifier == "ForAnyValue" else all(wanted)
