"""The names of the categories that come with the sample content."""

from __future__ import annotations

from kb_app.kb import Kb
from kb_app.store import articles
from kb_app.store.articles import Category

SHIPPED = (
    Category("refund", "退换退款", "Returns and refunds"),
    Category("shipping", "物流寄递", "Shipping"),
    Category("takeout", "外卖团购", "Takeout and deals"),
    Category("payment", "支付", "Payments"),
    Category("promo", "优惠会员", "Offers and membership"),
    Category("account", "账号", "Accounts"),
    Category("app", "App 与客户端", "App"),
    Category("device", "智能设备", "Devices"),
    Category("invoice", "发票与企业", "Invoices and business"),
    Category("complaint", "投诉与安抚", "Complaints"),
    Category("english", "英文服务", "English desk"),
)


def name_shipped(kb: Kb) -> None:
    """Name the shipped categories; names that somebody changed stay."""
    with kb.database.read() as session:
        named = {category.slug for category in articles.categories(session) if category.name != category.slug}
    if all(category.slug in named for category in SHIPPED):
        return
    with kb.database.write() as session:
        articles.name_categories(session, SHIPPED)
